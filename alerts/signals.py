from django.dispatch import Signal

#: Deliveries were committed and wait to be sent.
deliveries_written = Signal()

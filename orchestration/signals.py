"""What apps above may listen to."""

from django.dispatch import Signal

#: A run has ended; ``run`` is the row as it was saved. Sent inside the transaction that ended it, so what a receiver
#: writes stands or falls with it. A receiver must be quick and must not raise.
run_ended = Signal()

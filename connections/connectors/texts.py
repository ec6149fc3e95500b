"""Marking texts for translation on a side that has no settings."""


def gettext_noop(message: str) -> str:
    """The message itself; its name makes ``makemessages`` collect it.

    Django's own function asks the settings first, which a child process does not have.
    """
    return message

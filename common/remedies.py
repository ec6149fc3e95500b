"""What is wrong with a value, and what to do about it, by the code of the refusal: one place for forms and the API.

The codes are those of Django's and REST framework's fields and validators, and our own (``unknown_key``). That every
one that a field can raise is in here is tested.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from django.utils.translation import gettext, gettext_noop

#: Where the field's own message does not say which field it is.
_CAUSES: Mapping[str, str] = MappingProxyType(
    {
        "required": gettext_noop("%(field)s is missing."),
        "blank": gettext_noop("%(field)s is empty."),
        "null": gettext_noop("%(field)s is null."),
    }
)
_REMEDIES: Mapping[str, str] = MappingProxyType(
    {
        "required": gettext_noop("Give %(field)s a value."),
        "blank": gettext_noop("Give %(field)s a text, or leave it out where it may be missing."),
        "null": gettext_noop("Give %(field)s a value, or leave it out where it may be missing."),
        "empty": gettext_noop("Give at least one."),
        "invalid": gettext_noop("Write it in the form that the reference names for %(field)s."),
        "invalid_choice": gettext_noop("Use one of those that the reference names for %(field)s."),
        "invalid_list": gettext_noop("Give a list."),
        "not_a_list": gettext_noop("Send a list, even of one."),
        "not_a_dict": gettext_noop("Send an object of names and values."),
        "max_length": gettext_noop("Make it shorter."),
        "min_length": gettext_noop("Make it longer."),
        "max_value": gettext_noop("Use a smaller number."),
        "min_value": gettext_noop("Use a larger number."),
        "limit_value": gettext_noop("Use a value within the limit."),
        "step_size": gettext_noop("Use a multiple of the step."),
        "max_digits": gettext_noop("Use fewer digits."),
        "max_decimal_places": gettext_noop("Use fewer digits after the point."),
        "max_whole_digits": gettext_noop("Use fewer digits before the point."),
        "max_string_length": gettext_noop("Use a shorter number."),
        "overflow": gettext_noop("Use a moment between the years 1 and 9999."),
        "date": gettext_noop("Send a date with a time of day, such as 2026-11-25T02:14:00Z."),
        "datetime": gettext_noop("Send a date without a time of day, such as 2026-11-25."),
        "make_aware": gettext_noop("Use a time that exists in that zone, or write it in UTC."),
        "does_not_exist": gettext_noop("Name one that exists in this organization."),
        "incorrect_type": gettext_noop("Name it by its identifier, as it is listed."),
        "no_match": gettext_noop("Send an address of this API."),
        "incorrect_match": gettext_noop("Send the address of a thing of that kind."),
        "unique": gettext_noop("Choose another; this one is taken."),
        "unknown_key": gettext_noop("Correct its name, or leave it out."),
        "invalid_unicode": gettext_noop("Send UTF-8."),
        "surrogate_characters_not_allowed": gettext_noop("Send UTF-8."),
        "null_characters_not_allowed": gettext_noop("Take the NUL characters out of it."),
        "invalid_image": gettext_noop("Send a picture."),
        "invalid_extension": gettext_noop("Send a file with one of the endings that are allowed."),
        "no_name": gettext_noop("Send the file with its name."),
        "missing": gettext_noop("Choose a file."),
        "contradiction": gettext_noop("Either choose a file or clear it, not both."),
        "invalid_pk_value": gettext_noop("Name it by its identifier, as it is listed."),
        "list": gettext_noop("Give a list."),
        "incomplete": gettext_noop("Give all of its parts."),
        "invalid_date": gettext_noop("Use a date, such as 2026-11-25."),
        "invalid_time": gettext_noop("Use a time of day, such as 02:14:00."),
        "invalid_datetime": gettext_noop("Use a moment, such as 2026-11-25T02:14:00Z."),
        "unique_for_date": gettext_noop("Choose another; there is one on that day."),
        "unique_for_month": gettext_noop("Choose another; there is one in that month."),
        "unique_for_year": gettext_noop("Choose another; there is one in that year."),
        "too_many_forms": gettext_noop("Send fewer."),
        "too_few_forms": gettext_noop("Send more."),
        "missing_management_form": gettext_noop("Load the page again, then send it."),
        "item_invalid": gettext_noop("Correct that item of the list."),
    }
)
#: ``invalid``, by what the field takes (the name of its class).
_FORMS: Mapping[str, str] = MappingProxyType(
    {
        "BooleanField": gettext_noop("Use true or false."),
        "IntegerField": gettext_noop("Use a whole number, such as 12."),
        "FloatField": gettext_noop("Use a number, such as 1.5."),
        "DecimalField": gettext_noop("Use a number, such as 1.50."),
        "CharField": gettext_noop("Use a text."),
        "EmailField": gettext_noop("Use an address such as name@example.com."),
        "URLField": gettext_noop("Use an address such as https://example.com/hook."),
        "SlugField": gettext_noop("Use letters, digits, hyphens and underscores alone."),
        "UUIDField": gettext_noop("Use a UUID, such as 0f8fad5b-d9cb-469f-a165-70867728950e."),
        "DateField": gettext_noop("Use a date, such as 2026-11-25."),
        "DateTimeField": gettext_noop("Use a moment, such as 2026-11-25T02:14:00Z."),
        "TimeField": gettext_noop("Use a time of day, such as 02:14:00."),
        "DurationField": gettext_noop("Use a duration, such as 1 02:30:00."),
        "IPAddressField": gettext_noop("Use an address such as 192.0.2.1."),
        "JSONField": gettext_noop("Use valid JSON."),
        "FileField": gettext_noop("Send the file as multipart/form-data."),
    }
)
_BY_DEFAULT = gettext_noop("Correct it; the reference says what %(field)s takes.")
CODES = frozenset(_REMEDIES)


def cause(code: str, field: str, message: str) -> str:
    """The message, or where it leaves out what it speaks of, a better one."""
    if field and code in _CAUSES:
        return gettext(_CAUSES[code]) % {"field": field}
    return message


def remedy(code: str, field: str, *, kinds: Sequence[str] = (), choices: Sequence[str] = ()) -> str:
    """What to do. ``kinds`` are the names of the field's class and its bases, ``choices`` what it would take."""
    if code == "invalid_choice" and choices:
        return gettext("Use one of: %s.") % ", ".join(choices)
    text = _REMEDIES.get(code, _BY_DEFAULT)
    if code == "invalid":
        text = next((_FORMS[kind] for kind in kinds if kind in _FORMS), text)
    return gettext(text) % {"field": field or gettext("it")}

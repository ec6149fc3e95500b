import json

from common.redaction import MASK, Redactor, secrets_in


def test_a_secret_is_masked_in_every_spelling_it_takes() -> None:
    secret = 'p@ss/w"ö\\rd'
    redactor = Redactor([secret])
    url = "postgresql://u:p%40ss%2Fw%22%C3%B6%5Crd@host/db"
    for text in (secret, url, repr(secret), json.dumps({"a": secret})):
        masked = redactor.text(f"before {text} after")
        assert MASK in masked
        assert "rd" not in masked
        assert masked.startswith("before ")


def test_a_private_key_is_masked_line_by_line_and_the_longer_secret_first() -> None:
    key = "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQ\nshort\n-----END KEY-----\n"
    redactor = Redactor([key, "abcd", "abcdefgh"])
    assert "MIIE" not in redactor.text("line: MIIEvQIBADANBgkqhkiG9w0BAQ")
    assert redactor.text(key.strip()) == MASK
    assert redactor.text("abcdefgh abcd") == f"{MASK} {MASK}"


def test_short_values_and_no_values_leave_the_text_alone() -> None:
    event = {"event": "log", "text": "abc"}
    assert Redactor(["abc", ""]).event(event) is event
    assert Redactor([]).text("anything") == "anything"


def test_events_are_masked_at_any_depth_but_names_and_codes_stay() -> None:
    redactor = Redactor(["error", "orders"])
    event = {
        "event": "error",
        "code": "error",
        "name": "orders",
        "message": "error in orders",
        "detail": {"lines": ["orders", 7, None, ("error",)]},
        "transient": True,
    }
    assert redactor.event(event) == {
        "event": "error",
        "code": "error",
        "name": "orders",
        "message": f"{MASK} in {MASK}",
        "detail": {"lines": [MASK, 7, None, [MASK]]},
        "transient": True,
    }


def test_the_secrets_of_a_spec_are_found_wherever_they_stand() -> None:
    spec = {
        "source": {"config": {"user": "u"}, "secrets": {"password": "one", "keys": ["two"]}},
        "others": [{"secrets": {"token": "three"}}],
        "secrets": "four",
    }
    assert sorted(secrets_in(spec)) == ["four", "one", "three", "two"]

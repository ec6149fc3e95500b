"""Messages as mail and as chat."""

import re
from datetime import datetime
from typing import Any

from django.template.loader import render_to_string

from alerts.messages import Message
from alerts.models import Event

#: Of the bar beside a chat message, and of the rule in a mail.
COLOURS = {
    Event.OPENED: "#cd2027",
    Event.REMINDER: "#d17d0b",
    Event.RECOVERED: "#0fa05c",
    Event.TEST: "#2766e2",
}


def event_of(message: Message) -> Event:
    return Event(str(message["type"]).removeprefix("alert."))


def subject_of(message: Message) -> str:
    data = message["data"]
    return _one_line(f"[{data['organization']['name']}] {data['title']}")[:200]


def mail_of(message: Message) -> tuple[str, str]:
    """Plain text and HTML."""
    context = {**_context(message), "colour": COLOURS[event_of(message)]}
    text = render_to_string("alerts/mail/alert.txt", context)
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n", render_to_string(
        "alerts/mail/alert.html", context
    )


def _context(message: Message) -> dict[str, Any]:
    """The message's data with its times as times."""
    data = message["data"]
    subjects = [{**s, "since": datetime.fromisoformat(s["since"])} for s in data["subjects"]]
    return {
        **data,
        "event": str(event_of(message)),
        "subjects": subjects,
        "more": data["subjects_total"] - len(subjects),
        "since": datetime.fromisoformat(data["since"]),
    }


def chat_of(message: Message) -> dict[str, Any]:
    """What Slack and those that take its incoming webhooks (Mattermost, Rocket.Chat, Discord) understand."""
    data = message["data"]
    lines = [data["note"]] if data.get("note") else []
    for subject in data["subjects"]:
        lines.append(f"*{_escaped(subject['name'])}*: {_escaped(_first_line(subject['text']))}")
        if subject["remedy"]:
            lines.append(f"_{_escaped(_one_line(subject['remedy']))}_")
    if run := data["run"]:
        lines.append(f"Run #{run['number']}, started by {_escaped(run['started_by'])}")
    title = _one_line(data["title"])
    return {
        "text": f"{_escaped(data['organization']['name'])}: {_escaped(title)}",
        "attachments": [
            {
                "color": COLOURS[event_of(message)],
                "fallback": title,
                "title": title,
                "title_link": data["url"],
                "text": "\n".join(lines),
                "mrkdwn_in": ["text"],
            }
        ],
    }


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _first_line(text: str) -> str:
    return (text.strip().splitlines() or [""])[0][:500]

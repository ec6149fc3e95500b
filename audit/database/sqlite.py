"""The log's triggers in SQLite, where one transaction writes at a time: each event is linked as it is written.

SHA256 is a function that Django gives to its connections, ``audit_is_open`` is ours: another program can read the log
and can neither write nor delete in it. A migration that rebuilds a table drops its triggers; ``migrate`` makes them
again.
"""
# ruff: noqa: S608 - everything that is put into the text is written here

from audit.guard import FUNCTION

_REFUSE = "BEGIN SELECT RAISE(ABORT, 'The audit log is append-only.'); END"
_CHAIN = "coalesce(NEW.organization_id, 0)"

TRIGGERS = {
    "audit_link": f"""
AFTER INSERT ON audit_auditevent BEGIN
    INSERT INTO audit_auditchain (id, sequence, digest, pruned_sequence, pruned_digest)
    SELECT {_CHAIN}, 0, '', 0, ''
    WHERE NOT EXISTS (SELECT 1 FROM audit_auditchain WHERE id = {_CHAIN});
    UPDATE audit_auditchain
    SET sequence = sequence + 1,
        digest = SHA256(digest || ':' || (sequence + 1) || ':' || NEW.content_digest)
    WHERE id = {_CHAIN};
    INSERT INTO audit_auditlink (event_id, chain_id, sequence, digest)
    SELECT NEW.id, id, sequence, digest FROM audit_auditchain WHERE id = {_CHAIN};
END""",
    "audit_event_keep": f"BEFORE UPDATE ON audit_auditevent {_REFUSE}",
    "audit_event_stay": f"BEFORE DELETE ON audit_auditevent WHEN NOT {FUNCTION}() {_REFUSE}",
    "audit_link_keep": f"BEFORE UPDATE ON audit_auditlink {_REFUSE}",
    "audit_link_stay": f"BEFORE DELETE ON audit_auditlink WHEN NOT {FUNCTION}() {_REFUSE}",
    # A head goes forward with each event; back, or with another beginning, only where the guard is open.
    "audit_chain_keep": f"""
BEFORE UPDATE ON audit_auditchain
WHEN NOT (NEW.sequence > OLD.sequence AND NEW.pruned_sequence = OLD.pruned_sequence
          AND NEW.pruned_digest = OLD.pruned_digest AND NEW.id = OLD.id) AND NOT {FUNCTION}()
{_REFUSE}""",
    "audit_chain_stay": f"BEFORE DELETE ON audit_auditchain WHEN NOT {FUNCTION}() {_REFUSE}",
}


def statements() -> list[str]:
    return [f"CREATE TRIGGER {name} {text.strip()}" for name, text in TRIGGERS.items()]


def removals() -> list[str]:
    return [f"DROP TRIGGER IF EXISTS {name}" for name in TRIGGERS]

"""The log's triggers in PostgreSQL.

Events are linked when their transaction commits, so that a transaction holds its organization's chain for the moment of
the commit only. Each statement that writes events leaves a row in ``audit_unlinked``; the deferred triggers take it
from there in two waves. The second wave links: by then every other check of the commit is through, so nobody who holds
a chain waits for anything but the next chain, and chains are taken in the order of their numbers.
"""
# ruff: noqa: S608 - everything that is put into the text is written here

from audit.guard import SETTING

#: Kept with the functions: another number here, and the next ``migrate`` makes all of this anew.
VERSION = "1"

FUNCTIONS = f"""
CREATE UNLOGGED TABLE IF NOT EXISTS audit_unlinked (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    chain bigint NOT NULL,
    events bigint[] NOT NULL,
    contents text[] NOT NULL
);

CREATE OR REPLACE FUNCTION audit_note() RETURNS trigger LANGUAGE plpgsql AS $audit$
BEGIN
    INSERT INTO audit_unlinked (chain, events, contents)
    SELECT coalesce(organization_id, 0), array_agg(id ORDER BY id),
           array_agg(content_digest::text ORDER BY id)
    FROM fresh GROUP BY 1;
    RETURN NULL;
END
$audit$;

CREATE OR REPLACE FUNCTION audit_line_up() RETURNS trigger LANGUAGE plpgsql AS $audit$
DECLARE
    mine bigint;
BEGIN
    -- The first takes all; whatever others are about to link is not visible here.
    IF EXISTS (SELECT FROM audit_unlinked WHERE id = NEW.id) THEN
        FOR mine IN SELECT id FROM audit_unlinked ORDER BY chain, id LOOP
            DELETE FROM audit_unlinked WHERE id = mine;
        END LOOP;
    END IF;
    RETURN NULL;
END
$audit$;

CREATE OR REPLACE FUNCTION audit_link() RETURNS trigger LANGUAGE plpgsql AS $audit$
DECLARE
    head audit_auditchain%ROWTYPE;
    contents text[] := OLD.contents;
    digests text[] := '{{}}';
    before bigint;
BEGIN
    SELECT * INTO head FROM audit_auditchain WHERE id = OLD.chain FOR UPDATE;
    IF NOT FOUND THEN
        INSERT INTO audit_auditchain (id, sequence, digest, pruned_sequence, pruned_digest)
        VALUES (OLD.chain, 0, '', 0, '') ON CONFLICT DO NOTHING;
        SELECT * INTO head FROM audit_auditchain WHERE id = OLD.chain FOR UPDATE;
    END IF;
    before := head.sequence;
    FOR place IN 1 .. cardinality(contents) LOOP
        head.sequence := before + place;
        head.digest := encode(sha256(convert_to(
            head.digest || ':' || head.sequence || ':' || contents[place], 'UTF8')), 'hex');
        digests[place] := head.digest;
    END LOOP;
    INSERT INTO audit_auditlink (event_id, chain_id, sequence, digest)
    SELECT link.event, OLD.chain, before + link.place, link.digest
    FROM unnest(OLD.events, digests) WITH ORDINALITY AS link(event, digest, place);
    UPDATE audit_auditchain SET sequence = head.sequence, digest = head.digest WHERE id = OLD.chain;
    RETURN NULL;
END
$audit$;

CREATE OR REPLACE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS $audit$
BEGIN
    -- Updates only where the trigger says so: of a chain whose beginning is taken away.
    IF current_setting('{SETTING}', true) = 'on' AND (TG_OP <> 'UPDATE' OR TG_NARGS > 0) THEN
        IF TG_OP = 'UPDATE' THEN
            RETURN NEW;
        END IF;
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'The audit log is append-only: no % of %.', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END
$audit$;
"""

#: Name → (table, the rest).
TRIGGERS = {
    "audit_note": (
        "audit_auditevent",
        "AFTER INSERT ON {table} REFERENCING NEW TABLE AS fresh"
        " FOR EACH STATEMENT EXECUTE FUNCTION audit_note()",
    ),
    "audit_line_up": (
        "audit_unlinked",
        "AFTER INSERT ON {table} DEFERRABLE INITIALLY DEFERRED"
        " FOR EACH ROW EXECUTE FUNCTION audit_line_up()",
    ),
    "audit_link": (
        "audit_unlinked",
        "AFTER DELETE ON {table} DEFERRABLE INITIALLY DEFERRED"
        " FOR EACH ROW EXECUTE FUNCTION audit_link()",
    ),
    "audit_chain_keep": (
        "audit_auditchain",
        "BEFORE UPDATE ON {table} FOR EACH ROW WHEN (NOT (NEW.sequence > OLD.sequence"
        " AND NEW.pruned_sequence = OLD.pruned_sequence AND NEW.pruned_digest = OLD.pruned_digest"
        " AND NEW.id = OLD.id)) EXECUTE FUNCTION audit_refuse('open')",
    ),
    "audit_chain_stay": (
        "audit_auditchain",
        "BEFORE DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION audit_refuse()",
    ),
    "audit_link_keep": (
        "audit_auditlink",
        "BEFORE UPDATE OR DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION audit_refuse()",
    ),
    "audit_event_keep": (
        "audit_auditevent",
        "BEFORE UPDATE OR DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION audit_refuse()",
    ),
    **{
        f"{table}_whole": (
            table,
            "BEFORE TRUNCATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse()",
        )
        for table in ("audit_auditevent", "audit_auditlink", "audit_auditchain")
    },
}
_DEFERRED = frozenset({"audit_line_up", "audit_link"})

#: How many of the triggers are there, and the version of the functions.
STATE = """
SELECT (SELECT count(*) FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid
        WHERE NOT tgisinternal AND tgenabled <> 'D' AND tgname = ANY(%s)
          AND relnamespace = current_schema()::regnamespace),
       (SELECT obj_description(oid, 'pg_proc') FROM pg_proc
        WHERE proname = 'audit_link' AND pronamespace = current_schema()::regnamespace)
"""


def statements() -> list[str]:
    """What makes everything, also where some of it is there already."""
    found = [FUNCTIONS, f"COMMENT ON FUNCTION audit_link() IS '{VERSION}'"]
    for name, (table, rest) in TRIGGERS.items():
        kind = "CONSTRAINT TRIGGER" if name in _DEFERRED else "TRIGGER"
        found.append(f"DROP TRIGGER IF EXISTS {name} ON {table}")
        found.append(f"CREATE {kind} {name} {rest.format(table=table)}")
    return found


def removals() -> list[str]:
    """Those of the log's own tables; what is in the table between has to be linked still."""
    return [
        f"DROP TRIGGER IF EXISTS {name} ON {table}"
        for name, (table, _rest) in TRIGGERS.items()
        if table != "audit_unlinked"
    ]

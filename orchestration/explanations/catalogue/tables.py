"""Tables of a pipeline, and their contracts."""

from django.utils.translation import gettext_lazy as _

from orchestration.explanations.entry import Explanation, Kind, Place, Who, marks

ENTRIES = (
    Explanation(
        key="missing-table",
        title=_("The table is not at the source"),
        cause=_(
            "A table of the pipeline does not exist at the source (any more), or the "
            "connection's user does not see it."
        ),
        remedy=_("Choose the table anew in the pipeline, or take it out."),
        who=Who.EDITOR,
        places=(Place.TABLES,),
        marks=marks("code:missing_table sqlstate:42P01 mysql:1146 mysql:1051"),
        kind=Kind.LOAD,
    ),
    Explanation(
        key="missing-column",
        title=_("A column is not in the table"),
        cause=_(
            "A column that the pipeline names (to load, as cursor, key or in a filter) does "
            "not exist at the source any more."
        ),
        remedy=_("Choose another column in the settings of the table."),
        who=Who.EDITOR,
        places=(Place.TABLES,),
        marks=marks("code:missing_column sqlstate:42703 mysql:1054"),
        kind=Kind.LOAD,
    ),
    Explanation(
        key="missing-schema",
        title=_("The schema is not there"),
        cause=_("The schema that the pipeline or the transformation names does not exist."),
        remedy=_("Correct its name, or have it created."),
        who=Who.EDITOR,
        places=(Place.PIPELINE, Place.CONNECTION),
        marks=marks("sqlstate:3F000"),
    ),
    Explanation(
        key="missing-key",
        title=_("Merging needs a key"),
        cause=_("Write disposition merge has to know which column tells rows apart."),
        remedy=_(
            "Choose the primary key in the settings of the table, or another write disposition."
        ),
        who=Who.EDITOR,
        places=(Place.TABLES,),
        marks=marks("code:missing_key"),
    ),
    Explanation(
        key="bad-filter",
        title=_("A filter does not fit its column"),
        cause=_(
            "The filter compares a column with a value of another kind, or by a comparison its "
            "type does not have."
        ),
        remedy=_(
            "Correct the filter in the settings of the table; an enum column takes only its "
            "own values."
        ),
        who=Who.EDITOR,
        places=(Place.TABLES,),
        marks=marks("code:bad_filter"),
    ),
    Explanation(
        key="type-conflict",
        title=_("The column has another type in the destination"),
        cause=_("The source's column changed its type, or the destination's was made differently."),
        remedy=_(
            "Load the table anew (full refresh), or let the schema contract discard such rows."
        ),
        who=Who.EDITOR,
        places=(Place.TABLES,),
        marks=marks("code:type_conflict"),
    ),
    Explanation(
        key="schema-frozen",
        title=_("The schema contract forbids the change"),
        cause=_(
            "The source's table changed, and the table's contract is frozen so that it is noticed."
        ),
        remedy=_(
            "Look at the change. To accept it, set the contract to evolve, run once, and "
            "freeze it again."
        ),
        who=Who.EDITOR,
        places=(Place.TABLES,),
        marks=marks("code:schema_frozen"),
    ),
    Explanation(
        key="count-mismatch",
        title=_("The counts do not agree"),
        cause=_("As many rows as were read did not arrive, so nothing of the table was kept."),
        remedy=_(
            "Run again: a table that changes while it is read may cause it. If it stays so, "
            "report it."
        ),
        who=Who.OPERATOR,
        places=(Place.RUN_LOG,),
        marks=marks("code:count_mismatch"),
    ),
    Explanation(
        key="nothing-to-replay",
        title=_("No refused rows to try again"),
        cause=_("The rows that were put aside have been loaded or discarded meanwhile."),
        remedy=_("Nothing has to be done."),
        who=Who.NOBODY,
        places=(Place.REJECTS,),
        marks=marks("code:nothing_to_replay"),
    ),
    Explanation(
        key="several-tables-failed",
        title=_("Several tables failed, for different reasons"),
        cause=_(
            "The other tables were loaded. Each table's own reason stands in the list of tables."
        ),
        remedy=_("Correct what each of them names, then run again from failure."),
        who=Who.EDITOR,
        places=(Place.TABLES, Place.RUN_LOG),
        marks=marks("code:tables_failed"),
        broad=True,
    ),
)

"""Transformations, and what Datanika itself refuses."""

from django.utils.translation import gettext_lazy as _

from orchestration.explanations.entry import Explanation, Place, Who, marks

ENTRIES = (
    Explanation(
        key="does-not-compile",
        title=_("The transformation does not compile"),
        cause=_(
            "The Jinja of the text has a mistake, or names a macro or transformation that does "
            "not exist."
        ),
        remedy=_("Correct it in the editor; it marks the line."),
        who=Who.EDITOR,
        places=(Place.TRANSFORMATION,),
        marks=marks(
            "code:compile_failed dbt:compilation_error dbt:CompilationError dbt:ParsingError",
            "dbt:parsing_error dbt:UndefinedMacroError jinja:UndefinedError",
            "jinja:TemplateSyntaxError",
        ),
    ),
    Explanation(
        key="reference-unknown",
        title=_("It reads from something that does not exist"),
        cause=_("A ref() or source() names a transformation or table that was renamed or deleted."),
        remedy=_("Correct the name, or restore what was deleted from the trash."),
        who=Who.EDITOR,
        places=(Place.TRANSFORMATION, Place.TRASH),
        marks=marks("dbt:TargetNotFoundError dbt:DependencyNotFoundError dbt:RefArgsError"),
    ),
    Explanation(
        key="test-failed",
        title=_("A test of the data failed"),
        cause=_(
            "Rows were found that the test says must not be. Everything behind it was skipped."
        ),
        remedy=_(
            "Look at the failing rows in the run. Correct the data or the SQL, or give the "
            "test the severity warn."
        ),
        who=Who.EDITOR,
        places=(Place.RUN_LOG, Place.TRANSFORMATION),
        marks=marks("dbt:test_failed code:test_failed"),
    ),
    Explanation(
        key="contract-broken",
        title=_("The columns are not those of the contract"),
        cause=_(
            "The transformation's contract says which columns and types it gives, and the SQL "
            "gives others."
        ),
        remedy=_("Correct the SQL, or the contract."),
        who=Who.EDITOR,
        places=(Place.TRANSFORMATION,),
        marks=marks("dbt:ContractError dbt:contract_error"),
    ),
    Explanation(
        key="build-failed",
        title=_("The transformation could not be built"),
        cause=_("A macro that the transformation uses, or dbt itself, gave up."),
        remedy=_("Correct what the system's own words name."),
        who=Who.EDITOR,
        places=(Place.TRANSFORMATION,),
        marks=marks("code:transform_failed dbt:*"),
        broad=True,
    ),
    Explanation(
        key="nothing-selected",
        title=_("What was to be built is not there"),
        cause=_("The transformation was renamed, deleted or disabled after the run was requested."),
        remedy=_("Start a new run."),
        who=Who.EDITOR,
        places=(Place.LINEAGE, Place.TRASH),
        marks=marks("code:nothing_selected"),
    ),
    Explanation(
        key="extension-missing",
        title=_("A part of DuckDB is not installed"),
        cause=_(
            "Reading this kind of source needs an extension of DuckDB that the installation lacks."
        ),
        remedy=_("Install the package that is named, of the same version as DuckDB."),
        who=Who.OPERATOR,
        places=(Place.PLATFORM,),
        marks=marks("code:extension_missing python:ModuleNotFoundError"),
    ),
    Explanation(
        key="upstream-stale",
        title=_("What it reads from is not fresh enough"),
        cause=_("A dependency says how old the data before it may be, and it is older."),
        remedy=_("Run what stands before it, or allow an older age on the dependency."),
        who=Who.EDITOR,
        places=(Place.LINEAGE,),
        marks=marks("code:upstream_stale"),
    ),
    Explanation(
        key="paused",
        title=_("The pipeline is paused"),
        cause=_("A paused pipeline is not loaded."),
        remedy=_("Resume it on its page."),
        who=Who.EDITOR,
        places=(Place.PIPELINE,),
        marks=marks("code:pipeline_paused"),
    ),
    Explanation(
        key="not-there-any-more",
        title=_("Something the step needs is gone"),
        cause=_(
            "A table, a file or an object that was there when the run was requested is not "
            "there now."
        ),
        remedy=_("Choose it anew, or restore it from the trash."),
        who=Who.EDITOR,
        places=(Place.TABLES, Place.TRASH),
        marks=marks("code:not_found"),
    ),
    Explanation(
        key="does-not-fit",
        title=_("Something does not fit"),
        cause=_(
            "Datanika looked before it began, and found something that cannot be done as it is."
        ),
        remedy=_("Correct what the message names, then run again."),
        who=Who.EDITOR,
        places=(Place.PIPELINE, Place.CONNECTION),
        marks=marks(
            "code:invalid_configuration code:invalid_pipeline code:invalid_load_options",
            "code:invalid",
        ),
        broad=True,
    ),
)

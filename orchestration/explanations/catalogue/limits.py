"""What one step may use here, and how its process ends."""

from django.utils.translation import gettext_lazy as _

from orchestration.explanations.entry import Explanation, Place, Who, marks

ENTRIES = (
    Explanation(
        key="memory-limit",
        title=_("Too little memory for this step"),
        cause=_("The step needed more memory than one step may use here."),
        remedy=_(
            "Load less at a time: fewer columns, a narrower cursor range, a filter. Or have "
            "the operator raise the memory limit."
        ),
        who=Who.OPERATOR,
        places=(Place.PIPELINE, Place.PLATFORM),
        marks=marks(
            "code:out_of_memory code:memory_limit code:step_out_of_memory errno:ENOMEM",
            "duckdb:OutOfMemoryException sqlite:SQLITE_NOMEM exit:137",
        ),
    ),
    Explanation(
        key="killed-by-system",
        title=_("Ended by the system, likely for lack of memory"),
        cause=_(
            "The kernel ended the process (signal 9). It does that when the machine's memory, "
            "or the container's, is used up."
        ),
        remedy=_("It was tried again. Give the worker more memory, or run fewer steps at once."),
        who=Who.OPERATOR,
        places=(Place.RUN_LOG, Place.PLATFORM),
        marks=marks("exit:-9"),
    ),
    Explanation(
        key="worker-process-died",
        title=_("The worker's process died with the step"),
        cause=_(
            "The process that starts the steps was ended together with this one, usually for "
            "lack of memory or by a restart."
        ),
        remedy=_(
            "It was tried again. If it happens often, look at the memory and the log of the "
            "worker machine."
        ),
        who=Who.OPERATOR,
        places=(Place.RUN_LOG, Place.PLATFORM),
        marks=marks("exit:lost"),
    ),
    Explanation(
        key="worker-lost",
        title=_("Its worker was lost again and again"),
        cause=_("The worker that had the step disappeared, and so did the ones that took it over."),
        remedy=_("Look at the memory and the log of the worker machines, then run it again."),
        who=Who.OPERATOR,
        places=(Place.RUN_LOG, Place.PLATFORM),
        marks=marks("code:worker_lost"),
    ),
    Explanation(
        key="cpu-limit",
        title=_("The allowance of CPU time is used up"),
        cause=_("The step used more CPU time than one step may use here."),
        remedy=_(
            "Load less at a time or simplify the SQL. Or have the operator raise the limit of "
            "CPU time."
        ),
        who=Who.OPERATOR,
        places=(Place.PIPELINE, Place.PLATFORM),
        marks=marks("exit:-24 code:step_out_of_cpu_time"),
    ),
    Explanation(
        key="file-limit",
        title=_("A file would have grown too large"),
        cause=_("The step may not write a file of that size here."),
        remedy=_("Load less at a time, or have the operator raise the limit of file sizes."),
        who=Who.OPERATOR,
        places=(Place.PIPELINE, Place.PLATFORM),
        marks=marks("exit:-25 errno:EFBIG"),
    ),
    Explanation(
        key="step-disk-limit",
        title=_("The step's allowance of disk is used up"),
        cause=_("The files of the step took more disk than one step may use here."),
        remedy=_("Load less at a time, or have the operator raise the limit of disk."),
        who=Who.OPERATOR,
        places=(Place.PIPELINE, Place.PLATFORM),
        marks=marks("code:step_out_of_disk"),
    ),
    Explanation(
        key="step-too-long",
        title=_("The step took too long"),
        cause=_(
            "The step ran longer than one step may run here and was stopped. What was "
            "committed stays."
        ),
        remedy=_(
            "Load less at a time, for example in slices of a backfill. Or have the operator "
            "raise the limit of time."
        ),
        who=Who.OPERATOR,
        places=(Place.PIPELINE, Place.PLATFORM),
        marks=marks("code:step_timed_out code:timed_out"),
    ),
    Explanation(
        key="step-over-limit",
        title=_("The step was over a limit"),
        cause=_("The step used more than one step may use here and was stopped."),
        remedy=_("Load less at a time, or have the operator raise the limit that is named."),
        who=Who.OPERATOR,
        places=(Place.PIPELINE, Place.PLATFORM),
        marks=marks("code:step_limit_exceeded"),
    ),
    Explanation(
        key="native-fault",
        title=_("A native library crashed"),
        cause=_(
            "A part that is not written in Python (a database driver, DuckDB, Arrow) crashed "
            "on this data."
        ),
        remedy=_(
            "Run again. If it comes back, report it with the last lines of the log; leaving "
            "out the column that was added last often helps meanwhile."
        ),
        who=Who.OPERATOR,
        places=(Place.RUN_LOG,),
        marks=marks("exit:-11 exit:-6 exit:-8"),
    ),
    Explanation(
        key="bus-error",
        title=_("A file disappeared from under a library"),
        cause=_(
            "A file that was mapped into memory became shorter or could not be grown: usually "
            "a full disk."
        ),
        remedy=_("Free some space on the worker's disk, then run again."),
        who=Who.OPERATOR,
        places=(Place.RUN_LOG, Place.PLATFORM),
        marks=marks("exit:-7"),
    ),
    Explanation(
        key="wrong-processor",
        title=_("Built for another processor"),
        cause=_("A native library uses instructions that this machine does not have."),
        remedy=_("Run the worker on another machine, or install builds for this one."),
        who=Who.OPERATOR,
        places=(Place.RUN_LOG, Place.PLATFORM),
        marks=marks("exit:-4"),
    ),
    Explanation(
        key="stopped-from-outside",
        title=_("Stopped from outside"),
        cause=_("Somebody, or the system at its own end, asked the process to stop."),
        remedy=_(
            "Run again. If nobody stopped it, look for what ends processes on the worker machine."
        ),
        who=Who.OPERATOR,
        places=(Place.RUN_LOG, Place.PLATFORM),
        marks=marks("exit:-15 exit:-2 exit:-1 exit:143"),
    ),
    Explanation(
        key="ended-without-a-word",
        title=_("The process ended without a word"),
        cause=_("The process ended and said neither that it was done nor what was wrong."),
        remedy=_(
            "The last lines it wrote stand below; the operator, or the project's issue list, "
            "can help."
        ),
        who=Who.OPERATOR,
        places=(Place.RUN_LOG,),
        marks=marks("exit:* code:child_crashed"),
        broad=True,
    ),
    Explanation(
        key="not-started",
        title=_("No process could be started"),
        cause=_("The machine had no room for another process, or the worker is being stopped."),
        remedy=_(
            "Run again. If it stays so, look at the number of processes and the memory of the "
            "worker."
        ),
        who=Who.OPERATOR,
        places=(Place.RUN_LOG, Place.PLATFORM),
        marks=marks("code:child_not_started errno:EAGAIN"),
    ),
    Explanation(
        key="answer-too-large",
        title=_("One answer was too large"),
        cause=_(
            "The step sent one message larger than is accepted, for example an error that "
            "quotes a whole value."
        ),
        remedy=_("Leave out columns with very large values, and report it."),
        who=Who.OPERATOR,
        places=(Place.TABLES, Place.RUN_LOG),
        marks=marks("code:answer_too_large"),
    ),
    Explanation(
        key="cancelled",
        title=_("Stopped by a person"),
        cause=_("The run was cancelled while this step was at work."),
        remedy=_("Run it again when it is wanted; what was committed is not loaded twice."),
        who=Who.NOBODY,
        places=(),
        marks=marks("code:cancelled exit:stopped"),
    ),
)

"""The dashboard of runs: what they do now, how fast, on how many GPUs, and what went wrong."""

from __future__ import annotations

from blendtune_api.v1alpha1 import State
from monitoring.grafana import Json, Panel, Query, Row, View, by_run, dashboard, matrix

_RUN = 'kind="BlendedFineTune",namespace=~"$namespace",name=~"$name"'
_RANK_0 = 'kind="",namespace=~"$namespace",name=~"$name"'  # the trainer's own series, by the PodMonitor
_EACH = "on (kind, namespace, name)"
_RUNNING = f'{_EACH} blendtune_run_condition{{condition="TrainingSucceeded",reason="Running"}}'
_PER_RANGE = "[$__range:$__interval]"
_COLOURS = {
    State.PENDING: "text",
    State.QUEUED: "yellow",
    State.REHEARSING: "super-light-purple",
    State.BLENDING: "purple",
    State.TRAINING: "blue",
    State.EVALUATING: "light-blue",
    State.SUCCEEDED: "green",
    State.FAILED: "red",
    State.SUSPENDED: "orange",
}


def _state_number() -> str:
    """One number for each run, 1 for the first state: of all its states only the present one is not 0.

    A run whose status is not written yet has no state, and no number.
    """
    states = (
        f'blendtune_run_state{{{_RUN},state="{state}"}} * {number}' for number, state in enumerate(State, 1)
    )
    return f"max by (namespace, name) ({' or '.join(states)}) > 0"


def _state_mapping() -> Json:
    options = {
        str(number): {"text": state.value, "color": _COLOURS[state], "index": number}
        for number, state in enumerate(State, 1)
    }
    return {"type": "value", "options": options}


def _while_running(series: str) -> str:
    """Status keeps the last value of a training; only while it runs is that the present one."""
    return f"{series}{{{_RUN}}} and {_RUNNING}"


_NOW = Row("Now", (
    Panel(
        title="Runs by state",
        description="How many of the chosen runs are in each state.",
        unit="short", view=View.STAT, colours={state.value: colour for state, colour in _COLOURS.items()},
        queries=[Query(f"sum by (state) (blendtune_run_state{{{_RUN}}})", "{{state}}")],
    ),
    Panel(
        title="Progress of training",
        description="Share of the optimizer steps that are taken.",
        unit="percentunit", view=View.BAR_GAUGE, minimum=0, maximum=1,
        queries=[Query(f"blendtune_training_progress_ratio{{{_RUN}}}")],
    ),
    Panel(
        title="Time to the end of training",
        description="Estimated by rank 0 from its latest steps; shown while it trains.",
        unit="s", view=View.BAR_GAUGE, minimum=0,
        queries=[Query(_while_running("blendtune_training_remaining_seconds"))],
    ),
    Panel(
        title="States over time",
        description="The state of each run: waiting, working, or at its end.",
        unit="none", view=View.STATE_TIMELINE, width=24, mappings=[_state_mapping()],
        queries=[Query(_state_number())],
    ),
))  # fmt: skip

_TRAINING = Row("Training", (
    Panel(
        title="Loss",
        description="Loss of the latest step, nats per supervised token. A finished run keeps its last.",
        unit="none", decimals=3, width=12,
        queries=[Query(f"blendtune_training_loss{{{_RUN}}}")],
    ),
    Panel(
        title="Divergence from the base model",
        description="KL(base, tuned) on held-out rows at the latest validation, nats per token. On general "
        "rows it tells of forgetting; a finished run keeps its last.",
        unit="none", minimum=0, decimals=4, width=12,
        queries=[Query(
            f"blendtune_training_divergence{{{_RUN}}}", "{{namespace}}/{{name}} {{role}}"
        )],
    ),
    Panel(
        title="Throughput",
        description="Tokens trained on per second by all ranks, over the latest steps.",
        unit="suffix: tokens/s", minimum=0, width=12,
        queries=[Query(_while_running("blendtune_training_tokens_per_second"))],
    ),
    Panel(
        title="Model FLOP/s utilisation",
        description="Share of the GPUs' peak that the model's own arithmetic uses; absent on CPUs.",
        unit="percentunit", minimum=0, maximum=1,
        queries=[Query(_while_running("blendtune_training_mfu_ratio"))],
    ),
    Panel(
        title="Learning rate",
        description="Learning rate of the latest step: warm-up, then the schedule.",
        unit="sci",
        queries=[Query(_while_running("blendtune_training_learning_rate"))],
    ),
    Panel(
        title="Gradient norm",
        description="Of the latest step, before clipping. Scraped from rank 0 itself: needs the PodMonitor.",
        unit="none", minimum=0,
        queries=[Query(f"blendtune_training_gradient_norm{{{_RANK_0}}}")],
    ),
    Panel(
        title="Peak GPU memory of rank 0",
        description="Most memory that it has allocated. Scraped from rank 0 itself: needs the PodMonitor.",
        unit="bytes", minimum=0, width=12,
        queries=[Query(f"blendtune_training_gpu_memory_peak_bytes{{{_RANK_0}}}")],
    ),
    Panel(
        title="Since rank 0 was last heard",
        description="Age of what is shown of a running training. It grows when rank 0 does not answer.",
        unit="s", minimum=0, width=12,
        queries=[Query(
            f"time() - (blendtune_training_last_heard_timestamp_seconds{{{_RUN}}} and {_RUNNING})"
        )],
    ),
))  # fmt: skip

_GPUS = Row("GPUs and queue", (
    Panel(
        title="GPUs that train",
        description="Ranks of the trainings that run now, one on each GPU.",
        unit="suffix: GPUs", minimum=0,
        queries=[Query(
            f"sum by (namespace) (blendtune_training_ranks{{{_RUN}}} and {_RUNNING})", "{{namespace}}"
        )],
    ),
    Panel(
        title="GPU hours in this time range",
        description="GPUs times hours that trainings ran within the range, failed attempts included.",
        unit="suffix: GPU h", view=View.BAR_GAUGE, minimum=0,
        queries=[Query(
            f"sum_over_time((blendtune_training_ranks{{{_RUN}}} and {_RUNNING}){_PER_RANGE})"
            " * $__interval_ms / 3.6e6"
        )],
    ),
    Panel(
        title="GPU hours of finished trainings",
        description="GPUs times hours of the steps that made the model, as the trainer counted them.",
        unit="suffix: GPU h", view=View.BAR_GAUGE, minimum=0,
        queries=[Query(f"blendtune_training_gpu_seconds{{{_RUN}}} / 3600")],
    ),
    Panel(
        title="Runs in a queue",
        description="Runs whose pods wait for a queue to admit them or for a node to take them.",
        unit="short", minimum=0, width=12,
        queries=[Query(
            f'sum by (namespace) (blendtune_run_state{{{_RUN},state="Queued"}})', "{{namespace}}"
        )],
    ),
    Panel(
        title="Time queued in this time range",
        description="How long each run has waited for room within the range; only those that have.",
        unit="s", view=View.BAR_GAUGE, minimum=0, width=12,
        queries=[Query(
            f'sum_over_time(blendtune_run_state{{{_RUN},state="Queued"}}{_PER_RANGE})'
            " * $__interval_ms / 1000 > 0"
        )],
    ),
))  # fmt: skip

_FAILURES = Row("Failures", (
    Panel(
        title="Failed runs by reason",
        description="Runs at their end with Failed=True, by the reason of that condition.",
        unit="short", view=View.STAT, thresholds=[(None, "green"), (1, "red")],
        queries=[Query(
            "sum by (reason) "
            f'(blendtune_run_condition{{{_RUN},condition="Failed",status="True"}})', "{{reason}}"
        )],
    ),
    Panel(
        title="Attempts",
        description="Number of each stage's latest attempt: above 1, earlier ones failed or were disrupted.",
        unit="short", view=View.TABLE,
        queries=[Query(by_run("blendtune_run_attempt", _RUN, "stage"))],
        transformations=[matrix("stage")],
    ),
    Panel(
        title="Runs that are held up",
        description="Runs with Accepted=False: a refused spec, a taken name, no training operator.",
        unit="short", view=View.STAT, thresholds=[(None, "orange")], options={"textMode": "name"},
        queries=[Query(
            "sum by (namespace, name, reason) "
            f'(blendtune_run_condition{{{_RUN},condition="Accepted",status="False"}})',
            "{{namespace}}/{{name}} {{reason}}",
        )],
    ),
))  # fmt: skip

_OPERATOR = Row("Operator", (
    Panel(
        title="Reconciles",
        description="Per second and result: error is a fault of the operator, retry one of the API server.",
        unit="ops", minimum=0,
        queries=[Query("sum by (result) (rate(blendtune_reconcile_total[$__rate_interval]))", "{{result}}")],
    ),
    Panel(
        title="Reconcile time",
        description="Time in which 95% of the reconciles are done.",
        unit="s", minimum=0,
        queries=[Query(
            "histogram_quantile(0.95, sum by (kind, le) "
            "(rate(blendtune_reconcile_duration_seconds_bucket[$__rate_interval])))", "{{kind}}"
        )],
    ),
    Panel(
        title="Runs that wait for a reconcile",
        description="Depth of the work queue: it returns to 0 soon after every event.",
        unit="short", minimum=0,
        queries=[Query("sum(blendtune_workqueue_depth)", "runs")],
    ),
    Panel(
        title="Requests to the API server",
        description="Requests per second by method and answer; code 0 is no answer.",
        unit="reqps", minimum=0,
        queries=[Query(
            "sum by (method, code) (rate(blendtune_api_requests_total[$__rate_interval]))",
            "{{method}} {{code}}",
        )],
    ),
    Panel(
        title="Objects that a watch has missed",
        description="Found by the last resync, though the watch had not brought them: 0 in health.",
        unit="short", minimum=0,
        queries=[Query("max by (kind) (blendtune_watch_missed_objects)", "{{kind}}")],
    ),
    Panel(
        title="Operators that hold the Lease",
        description="1 while the operator works; 0 when none does.",
        unit="short", view=View.STAT, thresholds=[(None, "red"), (1, "green"), (2, "red")],
        queries=[Query("sum(blendtune_leader)", "leaders")],
    ),
))  # fmt: skip


def runs() -> Json:
    return dashboard(
        "blendtune-runs",
        "Blendtune / Runs",
        "Progress, speed, GPUs, queue and failures of the fine-tuning runs, and the operator behind them.",
        "blendtune_run_state",
        (_NOW, _TRAINING, _GPUS, _FAILURES, _OPERATOR),
    )

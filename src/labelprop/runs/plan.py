"""The plan of a propagation, reported before it begins, and a refusal where memory does not suffice."""

from __future__ import annotations

from labelprop.core import registry
from labelprop.core.errors import RequestError
from labelprop.core.memory import available_bytes, held_bytes
from labelprop.core.recipe_entries import AUTO
from labelprop.core.text import byte_size, counted, duration
from labelprop.propagators.cost.forecast import Forecast, forecast
from labelprop.propagators.cost.stages import ALL_PAIRS
from labelprop.report.say.verdict import USUAL_NEIGHBORS, WITHOUT_GRAPH, fewer_neighbors

TIGHT = 0.8  # of what is available
FEWER_NEIGHBORS, FEWER_CLASSES = (20, 10, 5), 16  # what to advise where memory will not do
MANY_NEIGHBORS = 1 / 3  # of all rows: the graph then connects nearly everything


def plan_lines(plan: Forecast, dtype: str) -> list[str]:
    """What will be done, and its forecast time and memory."""
    size, free = plan.size, free_bytes(plan)
    asked = plan.parameters.get("n_neighbors")
    cut = f" (of {asked:,} asked for: there are no more)" if asked is not None and asked > plan.n_neighbors else ""
    search = f"{counted(plan.n_neighbors, 'neighbor')}{cut} by {plan.search} search"
    peak = byte_size(plan.nbytes if size.on_gpu else held_bytes() + plan.nbytes)
    left = "" if free is None else f" ({byte_size(free)} free{' on the GPU' if size.on_gpu else ''})"
    stages = ", ".join(f"{name} {duration(seconds)}" for name, seconds in plan.seconds_by_stage.items())
    time = f"about {duration(plan.seconds)} ({stages})" if plan.seconds >= 1 else duration(plan.seconds)
    lines = [
        f"plan: {counted(size.n, f'{dtype} vector')} of {counted(size.d, 'dimension')}, {size.n_seeds:,} labeled in "
        + counted(size.n_classes, "class"),
        f"plan: {plan.method}, {_metric(plan)}, " + (f"{ALL_PAIRS} of rows" if plan.search == ALL_PAIRS else search),
        f"plan: peak memory about {peak}{left}; {time}",
    ]
    if free is not None and TIGHT * free < plan.nbytes <= free:
        lines.append("warning: that is close to all the memory that is free")
    return lines + _many_neighbors(plan)


def _many_neighbors(plan: Forecast) -> list[str]:
    n, k = plan.size.n, plan.n_neighbors
    fewer = fewer_neighbors(plan.method, k, n, plan.size.n_classes) or max(1, min(USUAL_NEIGHBORS, n // 10))
    if plan.search == ALL_PAIRS or plan.method in (AUTO, *WITHOUT_GRAPH) or k < MANY_NEIGHBORS * n or fewer >= k:
        return []
    return [f"warning: {counted(k, 'neighbor')} of {n:,} rows blur the classes; try --n-neighbors {fewer}"]


def _metric(plan: Forecast) -> str:
    """What rows are compared by; all pairs are by distance, whatever `metric` is."""
    metric = plan.parameters.get("metric", registry.propagator_flags(plan.method)["metric"])
    if metric == "auto":
        return "metrics cosine and euclidean"
    return f"metric {'euclidean' if plan.search == ALL_PAIRS else metric}"


def free_bytes(plan: Forecast) -> int | None:
    """Memory that is free where the propagation will run."""
    if not plan.size.on_gpu:
        return available_bytes()
    import torch

    return int(torch.cuda.mem_get_info()[0])


def check_memory(plan: Forecast) -> None:
    """Raises RequestError with what would fit, where the propagation will not."""
    free = free_bytes(plan)
    if free is None or plan.nbytes <= free:
        return
    fitting = [
        f"{flags} (about {byte_size(other.nbytes)})" for flags, other in _smaller(plan) if other.nbytes <= free
    ]
    advice = f"What would fit: {'; '.join(fitting)}." if fitting else "Take fewer rows, or a larger machine."
    raise RequestError(
        f"{plan.method} on these {plan.size.n:,} vectors would take about {byte_size(plan.nbytes)} more memory; "
        f"{byte_size(free)} is free. {advice} --force goes on all the same."
    )


def _smaller(plan: Forecast) -> list[tuple[str, Forecast]]:
    """Flags that need less memory, with their forecasts."""
    own, flags = dict(plan.parameters), registry.propagator_flags(plan.method)
    fewer = [k for k in FEWER_NEIGHBORS if "n_neighbors" in flags and k < plan.n_neighbors]
    other = [(f"--n-neighbors {k}", plan.method, own | {"n_neighbors": k}) for k in fewer]
    if plan.size.n_classes > FEWER_CLASSES and own.get("top_classes") is None:
        other.append((f"--top-classes {FEWER_CLASSES}", plan.method, own | {"top_classes": FEWER_CLASSES}))
    other += [(f"--method {method}", method, {}) for method in WITHOUT_GRAPH if method != plan.method]
    return [(flags_text, forecast(method, parameters, plan.size)) for flags_text, method, parameters in other]

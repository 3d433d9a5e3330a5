"""The section "This run": command, settings and files, without a path of the machine."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from datetime import datetime
from pathlib import PurePath, PureWindowsPath
from typing import Any

from labelprop.core.text import byte_size, counted, duration
from labelprop.report.gather.finished_run import FILES, FinishedRun
from labelprop.report.gather.numbers import percent_of
from labelprop.report.words import capital

Facts = list[tuple[str, str]]
SAVED = "CORRECTIONS.csv"  # stands for the file's name until it is saved, which the page's script then fills in
SKIPPED_SHOWN = 100  # more would be longer than the rest of the page; run.json has all


def without_path(text: str) -> str:
    """The last part of an absolute path; anything else as it is."""
    if text.startswith(("/", "~")) and "\n" not in text:
        return PurePath(text).name or "data"
    if len(text) > 2 and text[1] == ":" and text[2] in "\\/":
        return PureWindowsPath(text).name
    return text


def command_without_paths(command: str) -> str:
    try:
        tokens = shlex.split(command)
    except ValueError:
        tokens = command.split()
    cut = []
    for token in tokens:
        flag, equals, value = token.partition("=")
        cut.append(f"{flag}={without_path(value)}" if equals and flag.startswith("-") else without_path(token))
    return shlex.join(cut)


def day(date: str) -> str:
    """20 November 2026."""
    try:
        moment = datetime.fromisoformat(date)
    except ValueError:
        return date
    return f"{moment.day} {moment:%B %Y}"


def plain_value(value: Any) -> str:
    if value is None:
        return "not set"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {plain_value(part)}" for key, part in value.items()) or "none"
    if isinstance(value, list | tuple):
        return ", ".join(plain_value(part) for part in value) or "none"
    return without_path(str(value))


def settings(run: FinishedRun) -> Facts:
    facts = [(capital(str(name).replace("_", " ")), plain_value(value)) for name, value in run.settings.items()]
    facts += solver(run)
    if run.device:
        facts.append(("Device", run.device))
    seconds = run.metrics.get("seconds") or sum(stage.get("seconds") or 0 for stage in run.stages.values())
    if seconds:
        facts.append(("Time", duration(seconds)))
    if run.metrics.get("peak_memory_bytes"):
        facts.append(("Most memory", byte_size(run.metrics["peak_memory_bytes"])))
    if run.versions:
        facts.append(("Versions", ", ".join(f"{name} {version}" for name, version in run.versions.items())))
    return facts


def solver(run: FinishedRun) -> Facts:
    """Whether the propagation converged, with its residual and steps."""
    found, facts = run.solved, []
    members = found.get("members") or ()
    if len(members) > 1:
        shares = (f"{member['name']} {percent_of(member['weight'])}" for member in members)
        facts.append(("Joined, by weight", ", ".join(shares)))
    elif found.get("chosen"):
        k = found.get("n_neighbors")
        facts.append(("Chosen method", str(found["chosen"]) + (f", {counted(k, 'neighbor')}" if k else "")))
    if found.get("reason"):
        facts.append(("Why", str(found["reason"])))
    if found.get("recall") is not None:
        facts.append(("Neighbors found", f"{percent_of(found['recall'])} of the true ones, measured on a sample"))
    if found.get("steps"):
        end = "converged" if found.get("converged") else "stopped at its limit"
        steps, residual = counted(found["steps"], "step"), found.get("residual") or 0
        facts.append(("Solver", f"{steps}, {end}, relative residual {residual:.2g}"))
    return facts


def choice(run: FinishedRun) -> Facts:
    """Why `auto` chose this recipe, and how many hidden labels each candidate found, round by round."""
    trials: dict[str, dict[int, str]] = {}
    for trial in run.choice.get("heats", ()):
        rounds = trials.setdefault(str(trial["recipe"]), {})
        rounds[trial["round"]] = rounds.get(trial["round"], "") + trial["found"]
    facts = [("Why", str(run.choice["reason"]))] if run.choice else []
    for name, rounds in trials.items():
        shares = (f"{percent_of(found.count('1') / len(found))}" for found in rounds.values())
        facts.append((name, f"{', then '.join(shares)} of the hidden labels found"))
    return facts


def agreement(run: FinishedRun) -> Facts:
    """On what share of the rows labeled here the simpler ways say the same."""
    facts = []
    for name, part in (("Logistic regression", "baseline"), ("Nearest given label", "nearest_label")):
        share = (run.metrics.get(part) or {}).get("agreement")
        if share is not None:
            facts.append((name, f"the same label on {percent_of(share)} of the unlabeled {run.noun}s"))
    return facts


def stages(run: FinishedRun) -> Facts:
    """Seconds and memory by stage."""
    facts = []
    for name, stage in run.stages.items():
        parts = [duration(stage.get("seconds") or 0)]
        if stage.get("peak_memory_bytes"):
            parts.append(byte_size(stage["peak_memory_bytes"]))
        facts.append((capital(str(name).replace("_", " ")), ", ".join(parts)))
    return facts


def files(run: FinishedRun) -> Facts:
    return [(name, FILES[name].format(noun=run.noun)) for name in run.files]


def skipped(run: FinishedRun) -> Facts:
    listed = [(str(entry.get("id")), _why_skipped(entry)) for entry in run.skipped]
    more = len(listed) - SKIPPED_SHOWN
    return [*listed[:SKIPPED_SHOWN], ("", f"and {counted(more, 'more file')} in run.json")] if more > 0 else listed


def _why_skipped(entry: Mapping[str, Any]) -> str:
    n_files = entry.get("files", 1)
    return plain_value(str(entry.get("reason"))) + (f" ({counted(n_files, 'file')})" if n_files != 1 else "")


def again(run: FinishedRun) -> str:
    """The command that uses the saved labels too: the run's own, with one more --labels, into another folder."""
    tokens = shlex.split(command_without_paths(run.command))
    if tokens[:2] != ["labelprop", run.verb]:
        return ""
    kept, out, skip = [], "", False
    for token, value in zip(tokens, [*tokens[1:], ""], strict=True):
        if skip:
            skip = False
        elif token == "--out":
            out, skip = value, True
        elif token.startswith("--out="):
            out = token.partition("=")[2]
        elif token not in ("--overwrite", "--resume"):
            kept.append(token)
    return shlex.join([*kept, "--labels", SAVED, "--out", f"{out or 'runs/' + run.name}-2"])

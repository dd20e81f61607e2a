"""The tasks of a DAG of Airflow, in each of the forms in which Airflow gives them."""

from __future__ import annotations

from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

from miner.errors import ModelError
from miner.model.definition_text import DEEPEST, Part, json_part
from miner.model.flow_steps import MOST_ELEMENTS

RULES = {
    "all_success": "strict",
    "none_skipped": "strict",
    "none_failed": "some",
    "none_failed_or_skipped": "some",
    "none_failed_min_one_success": "some",
    "all_done_min_one_success": "some",
    "all_done": "done",
    "all_done_setup_success": "free",
    "all_failed": "free",
    "one_success": "one",
    "one_done": "one",
    "one_failed": "any",
    "all_skipped": "any",
    "always": "always",
    "dummy": "always",
}
"""How a task waits for those before it, by its trigger rule.

`strict`: for all, or for one that was skipped. `some`: for all, and is skipped if all were. `done`:
for all. `free`: for all, and may be skipped. `one`: for one that ran; is skipped if none did.
`any`: for one, and may be skipped. `always`: for none.
"""
_SKIPPERS = ("branch", "shortcircuit", "short_circuit", "latestonly")


@dataclass(frozen=True)
class Task:
    """A task, or all tasks of a mapped group, which are done again for each item in any order."""

    ids: tuple[str, ...]
    rule: str
    after: tuple[str, ...]
    """The first id of each task that it waits for."""
    skips: bool
    """Whether it decides which of the tasks directly after it are skipped."""
    mapped: bool
    short_circuit: bool = False
    group: str | None = None

    @property
    def id(self) -> str:
        """The first of its ids, by which it is known."""
        return self.ids[0]

    @property
    def waits(self) -> str:
        """How it waits for those before it."""
        return RULES[self.rule]


@dataclass(frozen=True)
class Dag:
    """The tasks of a DAG, those before others first."""

    tasks: tuple[Task, ...]
    source_format: str


def dag_of(text: str) -> Dag:
    """The tasks in a serialized DAG or in a list of tasks; raises ModelError when it is neither."""
    if not text.lstrip().startswith(("{", "[")) and "import" in text:
        raise ModelError(
            "This is the Python source of a DAG, of which the tasks cannot be read exactly.",
            hint="Use the serialized DAG in the metadata database, or the tasks by the address.",
        )
    part = json_part(text, "DAG")
    dag = part.get("dag")
    if dag is None:
        listed = part.need("tasks").items()
        return Dag(_sorted([_task(each, {}, "all_success") for each in listed]), "airflow-tasks")
    listed = [_inner(each) for each in dag.need("tasks").items()]
    groups = _mapped_groups(dag.get("task_group") or dag.get("_task_group"), None, 0)
    tasks = [_task(each, groups, _default_rule(part)) for each in listed]
    return Dag(_sorted(tasks), "airflow")


def _inner(part: Part) -> Part:
    """What Airflow wraps with its type, without the wrapping."""
    if isinstance(part.value, dict) and "__var" in part.value:
        return part.need("__var")
    return part


def _default_rule(part: Part) -> str:
    defaults = part.get("client_defaults")
    tasks = defaults.get("tasks") if defaults else None
    rule = tasks.get("trigger_rule") if tasks else None
    return _rule(rule) if rule else "all_success"


def _rule(part: Part) -> str:
    rule = _inner(part).text().lower()
    if rule not in RULES:
        part.refuse(f"is {rule!r}, which is no trigger rule", f"Rules: {', '.join(RULES)}.")
    return rule


def _mapped_groups(group: Part | None, around: str | None, depth: int) -> dict[str, str]:
    """The outermost mapped group of each task that is in one."""
    if group is None:
        return {}
    if depth > DEEPEST:
        group.refuse(f"is nested deeper than {DEEPEST} groups")
    if around is None and (_true(group, "is_mapped") or group.get("expand_input")):
        around = group.need("_group_id").text()
    found: dict[str, str] = {}
    for name, child in group.need("children").fields().items():
        kind, content = [*child.items(), child, child][:2]
        if kind.value == "taskgroup":
            found |= _mapped_groups(content, around, depth + 1)
        elif around is not None:
            found[name] = around
    return found


def _true(part: Part, key: str) -> bool:
    found = part.get(key)
    if found is not None and not isinstance(found.value, bool):
        found.refuse("has to be true or false")
    return found is not None and found.value is True


@dataclass(frozen=True)
class _Read:
    task: Task
    following: tuple[Part, ...]


def _task(part: Part, groups: dict[str, str], default_rule: str) -> _Read:
    name = part.need("task_id").text()
    partial = part.get("partial_kwargs")
    rule = part.get("trigger_rule") or (partial.get("trigger_rule") if partial else None)
    class_ref = part.get("class_ref")
    kinds = [part.get(key) for key in ("task_type", "_task_type", "_operator_name")]
    kinds += [part.get("operator_name"), class_ref.get("class_name") if class_ref else None]
    kind = " ".join(each.text() for each in kinds if each is not None).lower()
    short = any(word in kind for word in _SKIPPERS[1:])
    skips = _true(part, "_can_skip_downstream") or any(word in kind for word in _SKIPPERS)
    mapped = _true(part, "_is_mapped") or _true(part, "is_mapped")
    task = Task(
        (name,), _rule(rule) if rule else default_rule, (), skips, mapped, short, groups.get(name)
    )
    return _Read(task, tuple(part.list_of("downstream_task_ids")))


def _sorted(read: list[_Read]) -> tuple[Task, ...]:
    if len(read) > MOST_ELEMENTS:
        raise ModelError(
            f"The DAG has more than {MOST_ELEMENTS:,} tasks.", hint="Split it into smaller ones."
        )
    after: dict[str, dict[str, None]] = {}
    for each in read:
        if each.task.id in after:
            raise ModelError(
                f"The DAG has two tasks named {each.task.id!r}.", hint="Give each its own id."
            )
        after[each.task.id] = {}
    for each in read:
        for part in each.following:
            if part.text() not in after:
                part.refuse(f"leads to {part.text()!r}, but there is no such task")
            after[part.text()][each.task.id] = None
    _order(after)
    tasks = [_with(each.task, each.task.ids, after[each.task.id]) for each in read]
    grouped = _grouped(tasks)
    try:
        order = _order({task.id: dict.fromkeys(task.after) for task in grouped})
    except ModelError:  # a way leads out of a mapped group and back into it
        grouped = tasks
        order = _order(after)
    by_id = {task.id: task for task in grouped}
    return tuple(by_id[name] for name in order)


def _with(task: Task, ids: tuple[str, ...], after: dict[str, None]) -> Task:
    return Task(
        ids, task.rule, tuple(after), task.skips, task.mapped, task.short_circuit, task.group
    )


def _order(after: dict[str, dict[str, None]]) -> list[str]:
    try:
        return list(TopologicalSorter(after).static_order())
    except CycleError as error:
        ring = " > ".join(error.args[1][:5])
        raise ModelError(
            f"The DAG goes round in a circle: {ring}.", hint="Take one of these ways out."
        ) from None


def _grouped(tasks: list[Task]) -> list[Task]:
    """The tasks of each mapped group as one."""
    members: dict[str, list[Task]] = {}
    for task in tasks:
        members.setdefault(task.group or f"\0{task.id}", []).append(task)
    first = {task.id: group[0].id for group in members.values() for task in group}
    found = []
    for group in members.values():
        ids = tuple(task.id for task in group)
        after = {first[each]: None for task in group for each in task.after if each not in ids}
        entering = [task for task in group if not set(task.after) & set(ids)]
        whole = group[0]
        if whole.group is not None:
            strict = all(task.waits == "strict" for task in entering)
            rule = "all_success" if strict else "all_skipped"
            whole = Task(ids, rule, (), False, True, False, whole.group)
        found.append(_with(whole, ids, after))
    return found

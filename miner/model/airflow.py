"""Apache Airflow: DAGs, serialized or as a list of tasks."""

from __future__ import annotations

from collections import defaultdict

from miner.model.airflow_tasks import Dag, Task, dag_of
from miner.model.flow_steps import SINK, SOURCE, Flow
from miner.model.translation import Translation

_RUN = "Run"
"""What the source calls the activity of runs in which there is nothing else to tell of."""


def read_airflow(text: str, *, name: str, version: str | None = None) -> Translation:
    """The net of a DAG: an activity for each task, in any order that its dependencies allow.

    `text` is a serialized DAG (`airflow`) or the list of tasks that Airflow answers with
    (`airflow-tasks`). Label and element id are the id of the task, with its groups. A task fires
    when its first try ends. What a branch or another decision of the workflow leaves out, and what
    needs that, is silent: a skipped task was not done, whatever event says so. That a task failed,
    or was left out because another did, is not in the net. Mapped tasks fire once or more often. A
    DAG without tasks has the one activity `Run`.

    Raises ModelError when the text is no DAG, or is the Python source of one.

    Source: Airflow documentation, Dags: Control Flow, Trigger Rules.
    """
    dag = dag_of(text)
    flow = Flow("DAG")
    _Net(flow, dag).build()
    return flow.translation(name, dag.source_format, text, version)


class _Net:
    """Tasks that just wait for all before them pass tokens on; the others look at what is done.

    For these, called `looking`, places stay marked to the end: that a task is `done`, that it was
    `left` out (or `kept`, so far). The last steps clear them.
    """

    def __init__(self, flow: Flow, dag: Dag) -> None:
        self.flow, self.dag = flow, dag
        self.by_id = {task.id: task for task in dag.tasks}
        self.following: dict[str, list[str]] = defaultdict(list)
        for task in dag.tasks:
            for before in task.after:
                self.following[before].append(task.id)
        self.choosers = self._choosers()
        self.skippable = self._skippable()
        self.looking = {
            task.id
            for task in dag.tasks
            if task.id in self.skippable
            or task.waits not in _FOR_ALL
            or any(each in self.skippable for each in task.after)
        }

    def build(self) -> None:
        """Add the steps of all tasks."""
        flow = self.flow
        if not self.dag.tasks:
            flow.step(SOURCE, SINK, _RUN, _RUN)
            return
        if self.dag.source_format == "airflow-tasks":
            text = "The list of tasks does not say which groups are mapped."
            flow.remark(None, "task group", text)
        for task in self.dag.tasks:
            flow.element()
            _remarks(task, flow)
            if task.id in self.looking:
                self._look(task)
            else:
                self._pass_on(task)
        self._begin_and_end()

    def _choosers(self) -> dict[str, list[str]]:
        """The branches that may leave a task out: those right before it, short circuits all."""
        found: dict[str, list[str]] = {task.id: [] for task in self.dag.tasks}
        for task in self.dag.tasks:
            if task.skips:
                for each in self._below(task) if task.short_circuit else self.following[task.id]:
                    found[each].append(task.id)
        return found

    def _below(self, task: Task) -> list[str]:
        found: dict[str, None] = {}
        waiting = [task.id]
        while waiting:
            new = [each for each in self.following[waiting.pop()] if each not in found]
            found |= dict.fromkeys(new)
            waiting += new
        return list(found)

    def _skippable(self) -> set[str]:
        """Tasks that may be skipped without any task failing."""
        found: set[str] = set()
        for task in self.dag.tasks:
            before = [each in found for each in task.after]
            match task.waits:
                case "strict":
                    passed = any(before)
                case "some" | "one":
                    passed = bool(before) and all(before)
                case "free" | "any":
                    passed = any(before) or task.rule in _BY_OUTCOME
                case _:
                    passed = False
            if passed or self.choosers[task.id]:
                found.add(task.id)
        return found

    def _after(self, task: Task, *, left: bool = False) -> tuple[str, ...]:
        """What is marked once a task is over."""
        ways = [f"{task.id} > {each}" for each in self.following[task.id] if each not in
                self.looking]  # fmt: skip
        watched = len(ways) < len(self.following[task.id]) or not ways
        status = [f"left {task.id}"] if left else []
        return (*ways, *([f"done {task.id}"] if watched else []), *status)

    def _pass_on(self, task: Task) -> None:
        ways = [f"{before} > {task.id}" for before in task.after]
        self._run(task, ways or [f"wait {task.id}"], [])

    def _run(self, task: Task, taken: list[str], seen: list[str]) -> None:
        """Steps with which a task runs: `taken` is used up, `seen` stays as it is."""
        flow, before = self.flow, (*taken, *seen)
        after = self._after(task)
        if task.group is not None:
            start, end = flow.places(2)
            flow.step(before, (start, *seen))
            flow.any_number([(each, each) for each in task.ids], start, end)
            flow.step(end, after)
            return
        if not task.mapped:
            flow.step(before, (*after, *seen), task.id, task.id)
            return
        again = f"again {task.id}"
        flow.step(before, (again, *seen), task.id, task.id)
        flow.step(again, again, task.id, task.id)
        flow.step(again, after)

    def _skip(self, task: Task, seen: list[str]) -> None:
        taken = (f"wait {task.id}", f"kept {task.id}")
        after = (*self._after(task, left=True), *seen)
        self.flow.step((*taken, *seen), after, None, task.id)

    def _look(self, task: Task) -> None:
        """Steps of a task for each way in which those before it may let it run or skip it."""
        done = [f"done {each}" for each in task.after]
        maybe = [each for each in task.after if each in self.skippable]
        certain = [each for each in task.after if each not in self.skippable]
        kept = [f"kept {each}" for each in maybe]
        left = [f"left {each}" for each in maybe]
        runs: list[list[str]] = [done]
        skips: list[list[str]] = []
        match task.waits:
            case "strict":
                runs, skips = [[*done, *kept]], [[each] for each in left]
            case "some":
                runs = [done] if certain or not maybe else [[*done, each] for each in kept]
                skips = [] if certain or not maybe else [[*done, *left]]
            case "one":
                runs = [[f"done {each}"] for each in certain]
                runs += [[f"done {each}", f"kept {each}"] for each in maybe]
                skips = [] if certain or not maybe else [[*done, *left]]
            case "any":
                runs = [[each] for each in done]
                skips = runs
            case "always":
                runs = [[]]
            case "free":
                skips = [done]
        if not task.after:
            runs, skips = [[]], []
        skips = [*skips, *(self._chosen(each) for each in self.choosers[task.id])]
        for seen in runs:
            self._run(task, [f"wait {task.id}"], seen)
        for seen in skips if task.id in self.skippable else []:
            self._skip(task, seen)

    def _chosen(self, branch: str) -> list[str]:
        """What is marked once a branch has decided."""
        return [f"done {branch}", *([f"kept {branch}"] if branch in self.skippable else [])]

    def _begin_and_end(self) -> None:
        """The first step, the one after all tasks, and those that clear what is still marked."""
        flow = self.flow
        begin: list[str] = []
        end: list[str] = []
        clear: list[tuple[tuple[str, ...], ...]] = []
        for task in self.dag.tasks:
            if task.id in self.looking or not task.after:
                begin.append(f"wait {task.id}")
            if task.id in self.skippable:
                begin.append(f"kept {task.id}")
                clear.append(((f"kept {task.id}",), (f"left {task.id}",)))
            end += [place for place in self._after(task) if place.startswith("done ")]
        flow.step(SOURCE, begin)
        last = flow.place()
        flow.step(end, last)
        for ways in clear:
            following = flow.place()
            for way in ways:
                flow.step((last, *way), following)
            last = following
        flow.step(last, SINK)


def _remarks(task: Task, flow: Flow) -> None:
    if task.group is not None and len(task.ids) > 1:
        text = "It is done for each item: how often, and in which order within, is open."
        flow.remark(task.group, "mapped task group", text)
    elif task.mapped:
        flow.remark(task.id, "mapped task", "How many items there were is not checked.")
    if task.skips:
        text = "Which of the tasks after it it may choose is not said; any or none are allowed."
        flow.remark(task.id, "branch", text)
    if task.waits in ("any", "free") and task.group is None:
        text = f"{task.rule}: how the tasks before it ended is not checked, only that they did."
        flow.remark(task.id, "trigger rule", text)


_FOR_ALL = ("strict", "some", "done", "free")
_BY_OUTCOME = ("one_failed", "all_failed", "all_skipped")
"""Rules by which a task is skipped depending on how those before it ended."""

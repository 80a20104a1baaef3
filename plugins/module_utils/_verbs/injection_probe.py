# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Prove the injection before anything restarts: rehearsed at a new istiod, probed at the API server, or in a scratch namespace."""

from __future__ import annotations

import re
import typing as t
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from ansible_collections.meshops.istio.plugins.module_utils._kube import roots
from ansible_collections.meshops.istio.plugins.module_utils._kube.admission import Ask, Asking, by_dry_run, by_rehearsal, user
from ansible_collections.meshops.istio.plugins.module_utils._kube.cluster import Json
from ansible_collections.meshops.istio.plugins.module_utils._kube.scratch import left, remove, scratch
from ansible_collections.meshops.istio.plugins.module_utils._kube.snapshot import what_injects
from ansible_collections.meshops.istio.plugins.module_utils._kube.templates import Template, in_namespaces, plain
from ansible_collections.meshops.istio.plugins.module_utils._mesh.admission import Answer, Refusal, Subject, progress, several
from ansible_collections.meshops.istio.plugins.module_utils._mesh.baseline import Baseline, read
from ansible_collections.meshops.istio.plugins.module_utils._mesh.errors import MeshError
from ansible_collections.meshops.istio.plugins.module_utils._mesh.injection import Injector
from ansible_collections.meshops.istio.plugins.module_utils._mesh.predict import predict
from ansible_collections.meshops.istio.plugins.module_utils._mesh.progress import Progress
from ansible_collections.meshops.istio.plugins.module_utils._mesh.roots import check_same_root
from ansible_collections.meshops.istio.plugins.module_utils._mesh.snapshot import Snapshot
from ansible_collections.meshops.istio.plugins.module_utils._mesh.words import count, listed
from ansible_collections.meshops.istio.plugins.module_utils._mesh.workloads import Proxy
from ansible_collections.meshops.istio.plugins.module_utils._verbs.choices import BASELINE
from ansible_collections.meshops.istio.plugins.module_utils._verbs.verb import ISTIO_NAMESPACE, WAIT, Context, Difference, Result, Verb
from ansible_collections.meshops.istio.plugins.module_utils._verbs.wait import Patience, wait_until

SPEC: dict[str, t.Any] = {
    "question": {"type": "str", "choices": ["probe", "rehearsal", "control_plane"], "default": "probe"},
    "namespaces": {"type": "list", "elements": "str"},
    "workloads": {"type": "list", "elements": "str"},
    "revision": {"type": "str"},
    "version": {"type": "str"},
    "from_revision": {"type": "str"},
    **BASELINE,
    **ISTIO_NAMESPACE,
    **WAIT,
}
_PATH = re.compile(r"[^/]+/[^/]+/[^/]+")
_STALE = 5.0
"""Seconds after which an answer that is not as predicted is no stale one any more."""
_REPLACED = frozenset({"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController"})
"""Kinds whose pods somebody makes anew."""
_CONTROLLERS = "Pod Security and policies may judge a controller's pods otherwise"


@dataclass(frozen=True, slots=True)
class Options:
    question: str
    namespaces: frozenset[str]
    """All workloads of these."""
    workloads: frozenset[str]
    """And these: ``pay/deploy/api``."""
    revision: str | None
    version: str | None
    old: str | None
    istio_namespace: str
    baseline: Baseline
    patience: Patience

    @classmethod
    def of(cls, params: Mapping[str, t.Any]) -> Options:
        question, paths = params["question"], params["workloads"] or ()
        chosen = params["namespaces"] is not None or params["workloads"] is not None
        if question != "probe" and not params["revision"]:
            raise MeshError("revision is needed.", where=f"question {question}", do="say which control plane is to prove itself")
        if question == "control_plane" and chosen:
            raise MeshError("A control plane is proved by itself.", where="question control_plane", do="leave namespaces and workloads out")
        if question != "control_plane" and not chosen:
            raise MeshError("namespaces or workloads are needed.", where=f"question {question}", do="say whose pods are meant")
        wrong = [path for path in paths if not _PATH.fullmatch(path)]
        if wrong:
            raise MeshError("A workload is written as NAMESPACE/KIND/NAME.", where=", ".join(wrong), do="for example pay/deploy/api")
        return cls(
            question=question,
            namespaces=frozenset(params["namespaces"] or ()),
            workloads=frozenset(paths),
            revision=params["revision"],
            version=params["version"],
            old=params["from_revision"],
            istio_namespace=params["istio_namespace"],
            baseline=read(params["baseline"]),
            patience=Patience.of(params),
        )

    @property
    def within(self) -> frozenset[str]:
        """The namespaces that are concerned."""
        return self.namespaces | {path.partition("/")[0] for path in self.workloads}

    @property
    def stale(self) -> float:
        return min(_STALE, self.patience.grace)


@dataclass(frozen=True, slots=True)
class Found:
    """A workload with what its next pod came to; None where that could not be asked, and is predicted."""

    subject: Subject
    answer: Answer | None

    @property
    def proxy(self) -> tuple[str | None, str | None, bool | None] | None:
        """Revision, version, and whether it is native; None for a pod without."""
        if self.answer is None:
            revision = self.subject.decision.revision
            return (revision, self.subject.version, None) if revision else None
        got = self.answer.proxy
        return (got.revision, got.version, got.native) if got else None

    @property
    def told(self) -> str:
        if self.answer and self.answer.refusal:
            return "a refusal that stops nothing"
        return _told(self.proxy) if self.answer or self.subject.decision.known else "an outcome that is not known"


def run(options: Options, context: Context) -> Result:
    result = _asked(options, context)
    if not result.differences:  # else it is shown anyway
        context.say(result.msg)
    return result


def _asked(options: Options, context: Context) -> Result:
    snapshot = what_injects(context.cluster)
    if options.question == "control_plane":
        return _control_plane(options, context, snapshot)
    snapshot.check_known(options.within)
    found, hidden = in_namespaces(context.cluster, options.within)
    asked = _rehearsal if options.question == "rehearsal" else _probe
    result = asked(options, context, snapshot, _chosen(options, found))
    unseen = (f"This user may not list {kind}s: nothing is known of them." for kind in hidden)
    return replace(result, warnings=(*result.warnings, *unseen))


def _chosen(options: Options, templates: Sequence[Template]) -> tuple[Template, ...]:
    missing = options.workloads - {one.workload.path for one in templates}
    if missing:
        raise MeshError(
            "Some workloads do not exist.",
            where=listed(sorted(missing)),
            do="write them as NAMESPACE/KIND/NAME, for example pay/deploy/api",
        )
    return tuple(one for one in templates if one.workload.namespace in options.namespaces or one.workload.path in options.workloads)


def _rehearsal(options: Options, context: Context, snapshot: Snapshot, templates: Iterable[Template]) -> Result:
    """Only pods that the API server would send there are asked about."""
    revision = options.revision or ""
    moved = predict(snapshot, revision, options.version, options.within)
    moved = replace(moved, injectors=tuple(one for one in moved.injectors if one.revision == revision))
    subjects = [(replace(_subject(options, moved, one), has=_today(snapshot, one)), one.pod) for one in templates]
    injector = _injector(snapshot, revision)
    if injector is None and context.check_mode:
        return _result(options, [Found(subject, None) for subject, _pod in subjects], "would be rehearsed")
    ask = by_rehearsal(context.cluster, _callable(injector, revision))
    why = f"asked was the istiod of {revision} itself, through the API server's proxy; nothing has moved"
    answers = _ask(context, options, [one for one in subjects if one[0].decision.asked], ask, None, why)
    return _result(options, [Found(one, answers.get(one.path, Answer())) for one, _pod in subjects], "rehearsed")


def _today(snapshot: Snapshot, template: Template) -> str | None:
    return snapshot.decide(template.workload.namespace, template.workload.template).revision


def _probe(options: Options, context: Context, snapshot: Snapshot, templates: Iterable[Template]) -> Result:
    """In check mode, namespaces that would have moved by now are predicted, and the others asked about."""
    moving = _moving(options, snapshot) if context.check_mode else frozenset()
    seen = predict(snapshot, options.revision, options.version, moving) if options.revision and moving else snapshot
    subjects = [(_subject(options, seen, template), template.pod) for template in templates]
    who = user(context.cluster)
    asked = [one for one in subjects if one[0].workload.namespace not in moving]
    answers = _ask(context, options, asked, by_dry_run(context.cluster), options.stale, _dry_runs(who))
    return _result(options, [Found(one, answers.get(one.path)) for one, _pod in subjects], "probed", who)


def _moving(options: Options, snapshot: Snapshot) -> frozenset[str]:
    return frozenset(name for name in options.within if options.revision and not snapshot.gets(name).may_get(options.revision))


def _control_plane(options: Options, context: Context, snapshot: Snapshot) -> Result:
    """In a namespace that is made for it, and goes again whatever comes of it."""
    revision = options.revision or ""
    injector = _injector(snapshot, revision)
    if injector or not context.check_mode:
        _callable(injector, revision, by_url=True)
        check_same_root(snapshot.injectors, revision, options.old, roots.trusted(context.cluster, options.istio_namespace))
    killed = left(snapshot.namespaces)
    for namespace in killed:
        remove(context.cluster, namespace)
    with scratch(context.cluster, revision) as made:
        seen = replace(predict(snapshot, revision, options.version, ()), namespaces=(*snapshot.namespaces, made))
        plane = next((one for one in snapshot.control_planes if one.revision == revision), None)
        template = plain(context.cluster, made.name, plane)
        subject = _subject(options, seen, template)
        if context.check_mode:
            found, who = Found(subject, None), ""
        else:
            who = user(context.cluster)
            ask = by_dry_run(context.cluster)
            found = Found(subject, _ask(context, options, [(subject, template.pod)], ask, options.stale, _dry_runs(who))[subject.path])
    done = f"control plane {revision} {'would be proved' if context.check_mode else 'injects'}: a pod in a scratch namespace"
    return replace(
        _result(options, [found], "probed", who),
        msg=f"{done} {'would get' if context.check_mode else 'gets'} {_told(found.proxy)}",
        differences=tuple(Difference(f"namespace/{one.name}", "left by a run that was killed", None) for one in killed),
    )


def _injector(snapshot: Snapshot, revision: str) -> Injector | None:
    """That of the revision itself, else one of its tags."""
    mine = [one for one in snapshot.injectors if one.revision == revision]
    return min(mine, key=lambda one: (one.disabled, one.tag is not None), default=None)


def _callable(injector: Injector | None, revision: str, *, by_url: bool = False) -> Injector:
    if injector is None:
        raise MeshError(
            f'There is no injector of revision "{revision}".',
            where="no MutatingWebhookConfiguration of it",
            do="install that control plane first, or correct the revision",
        )
    if injector.service is None and not by_url:
        raise MeshError(
            f'Control plane "{revision}" cannot be rehearsed at.',
            where=f"MutatingWebhookConfiguration {injector.name}",
            why="it is called by a url, which the API server's proxy for Services does not reach",
            do="move one small namespace first, and use question: probe",
        )
    return injector


def _subject(options: Options, seen: Snapshot, template: Template) -> Subject:
    decision = seen.decide(template.workload.namespace, template.workload.template)
    given = options.version and (decision.revision == options.revision or not decision.known)
    version = options.version if given else seen.versions.get(decision.revision or "")
    was, workload = options.baseline.get(template.workload.path), template.workload
    return Subject(
        workload=workload,
        decision=decision,
        version=None if template.workload.proxy_image_set else version,
        own_proxy=template.own_proxy,
        wanted=options.revision,
        ill=was.why if was else None,
        goes_first=workload.kind in _REPLACED and not workload.demands.replacing.beside(workload.replicas),
    )


def _ask(
    context: Context, options: Options, pods: Sequence[tuple[Subject, Json]], ask: Ask, stale: float | None, why: str
) -> dict[str, Answer]:
    """The last word about each; raises MeshError where one is refused, or is not as predicted. ``stale`` None: no cache is asked."""
    subjects = [subject for subject, _pod in pods]
    if stale is not None:
        subjects = list(several(subjects))
    asking = Asking([(subject, pod) for subject, (_same, pod) in zip(subjects, pods, strict=True)], ask, stale or 0, context.clock)
    for _turn in range(max((subject.times for subject in subjects), default=0)):
        asking.wait(1)

    def step() -> Progress:
        return progress(subjects, asking.said, stale or 0, why)

    wait_until(options.question.replace("_", " "), asking, step, context, options.patience)
    return {path: said.answer for path, said in asking.said.items()}


def _dry_runs(who: str) -> str:
    return f"asked was the API server, by dry runs as user {who}; {_CONTROLLERS}"


def _result(options: Options, found: Sequence[Found], done: str, who: str = "") -> Result:
    counted = Counter(one.told for one in found)
    got = ", ".join(f"{number} with {told}" for told, number in counted.most_common())
    predicted = any(one.answer is None for one in found)
    return Result(
        msg=f"{count(len(found), 'workload')} {done}" + (f": {got}" if got else "") + (f"; judged as user {who}" if who else ""),
        facts={"workloads": [_facts(one) for one in found], "judged_as": who or None},
        predicted=predicted,
        warnings=tuple(_borne(one.subject, one.answer.refusal) for one in found if one.answer and one.answer.refusal),
    )


def _borne(subject: Subject, refusal: Refusal) -> str:
    """What is refused now, and stops nothing."""
    why = "it was ill before the upgrade" if subject.ill is not None else "an old pod of it goes before the new one comes"
    return f"{subject.at}: {refusal.text()}; this stops nothing, since {why}."


def _told(proxy: tuple[str | None, str | None, bool | None] | None) -> str:
    if proxy is None:
        return "no sidecar"
    revision, version, native = proxy
    form = {True: ", native", False: ", as a container", None: ""}[native]
    return f"the sidecar of {revision or 'an unknown revision'}" + (f" ({version}{form})" if version else form)


def _facts(found: Found) -> dict[str, object]:
    got = found.answer.proxy if found.answer else None
    revision, version, _native = found.proxy or (None, None, None)
    return {
        "workload": found.subject.path,
        "injectors": [injector.name for injector in found.subject.decision.asked],
        "revision": revision,
        "version": version,
        "image": got.image if got else None,
        "sidecar": _form(got),
        "predicted": found.answer is None,
    }


def _form(proxy: Proxy | None) -> str | None:
    return None if proxy is None else "native" if proxy.native else "container"


VERB = Verb("injection_probe", SPEC, Options.of, run)

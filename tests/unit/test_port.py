# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The port against a server that misbehaves as no real one does on demand: 429, a reset connection, pages, a refusal."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import tempfile
import threading
import time
import typing as t
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest

from ansible_collections.meshops.istio.plugins.module_utils._kube import cluster as port
from ansible_collections.meshops.istio.plugins.module_utils._kube import follow as following
from ansible_collections.meshops.istio.plugins.module_utils._kube import helm_record, restarts
from ansible_collections.meshops.istio.plugins.module_utils._kube import kubeconfig as login
from ansible_collections.meshops.istio.plugins.module_utils._kube import record as records
from ansible_collections.meshops.istio.plugins.module_utils._kube.cluster import ApiError, Cluster
from ansible_collections.meshops.istio.plugins.module_utils._kube.follow import Follow, Kind
from ansible_collections.meshops.istio.plugins.module_utils._kube.namespaces import relabel_all
from ansible_collections.meshops.istio.plugins.module_utils._mesh.errors import MeshError
from ansible_collections.meshops.istio.plugins.module_utils._mesh.injection import PodShape
from ansible_collections.meshops.istio.plugins.module_utils._mesh.namespaces import Namespace, move_to
from ansible_collections.meshops.istio.plugins.module_utils._mesh.record import Phase, Record
from ansible_collections.meshops.istio.plugins.module_utils._mesh.workloads import Owner, Pod
from ansible_collections.meshops.istio.plugins.module_utils._runtime.options import AUTH
from ansible_collections.meshops.istio.plugins.module_utils._runtime.run import perform
from ansible_collections.meshops.istio.plugins.module_utils._verbs.verb import Context, Result, Verb

Answer = tuple[int, dict[str, str], t.Any]
RESET: Answer = (0, {}, None)
HANG: Answer = (200, {"Transfer-Encoding": "chunked"}, None)
"""A watch on which nothing happens."""


@dataclass
class Server:
    """Gives the answers in their order and keeps what was asked."""

    answers: list[Answer]
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    headers: list[dict[str, list[str]]] = field(default_factory=list)
    host: str = ""


Serve = Callable[..., Server]


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    monkeypatch.setattr(port, "_PAUSES", (0.0, 0.0))
    monkeypatch.setattr(following, "_PAUSE", 0.0)
    over = threading.Event()
    running: list[ThreadingHTTPServer] = []

    def start(*answers: Answer) -> Server:
        server = Server(list(answers))

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
                server.asked.append((self.command, self.path, body))
                server.headers.append({name: self.headers.get_all(name) or [] for name in self.headers})
                status, headers, answer = server.answers.pop(0)
                if status == 0:
                    self.connection.close()
                    return
                if answer is None:
                    self._hang()
                    return
                data = answer.encode() if isinstance(answer, str) else json.dumps(answer).encode()
                self.send_response(status)
                for name, value in {"Content-Length": str(len(data)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(data)

            def _hang(self) -> None:
                self.protocol_version = "HTTP/1.1"
                self.send_response(200)
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                self.wfile.flush()
                over.wait(30)

            do_POST = do_PATCH = do_DELETE = do_GET

            def log_message(self, format: str, *args: object) -> None:
                """Nothing: the test says what matters."""

        httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=httpd.serve_forever, args=(0.01,), daemon=True).start()
        running.append(httpd)
        server.host = f"http://127.0.0.1:{httpd.server_port}"
        return server

    yield start
    over.set()
    for one in running:
        one.shutdown()
        one.server_close()


def cluster(server: Server, *, dry_run: bool = False, **options: object) -> Cluster:
    return Cluster({**dict.fromkeys(AUTH), "host": server.host, **options}, dry_run=dry_run)


PAGE = {"metadata": {"resourceVersion": "7"}, "items": [{"metadata": {"name": "a"}}]}
POD = Pod("shop", "db-1", "uid-1", Owner("ReplicaSet", "db"), PodShape(), None, True)
EVICTIONS: dict[str, tuple[Answer, type[Exception] | None]] = {
    "done": ((201, {}, {"kind": "Status"}), None),
    "a budget allows none": ((429, {"Retry-After": "7"}, {"message": "violate the pod's disruption budget"}), restarts.Denied),
    "it is gone": ((404, {}, {"message": "not found"}), None),
    "another one has its name": ((409, {}, {"message": "the UID in the precondition does not match"}), None),
    "two budgets select it": ((500, {}, {"message": "more than one PodDisruptionBudget"}), ApiError),
}


@pytest.mark.parametrize(("answer", "raises"), EVICTIONS.values(), ids=EVICTIONS)
def test_an_eviction_is_of_one_pod_by_its_uid(serve: Serve, answer: Answer, raises: type[Exception] | None) -> None:
    server = serve(answer)
    with pytest.raises(raises) if raises else contextlib.nullcontext():
        restarts.evict(cluster(server), POD)
    ((method, path, body),) = server.asked
    assert (method, path.partition("?")[0]) == ("POST", "/api/v1/namespaces/shop/pods/db-1/eviction")
    assert json.loads(body)["deleteOptions"] == {"preconditions": {"uid": "uid-1"}}


PASSING = {
    "too many requests": (429, {"Retry-After": "0"}, {"message": "slow down"}),
    "a server that starts": (503, {}, {"message": "not yet"}),
    "a reset connection": RESET,
    "a refusal that breaks off": (503, {"Content-Length": "999"}, {"message": "not yet"}),
    "an answer that breaks off": (200, {"Content-Length": "999"}, PAGE),
    "an answer that is no JSON": (200, {}, "<html>please log in</html>"),
    "an answer that is no object": (200, {}, [1]),
}


@pytest.mark.parametrize("first", PASSING.values(), ids=PASSING)
def test_a_read_goes_through_what_passes(serve: Serve, first: Answer) -> None:
    server = serve(first, (200, {}, PAGE))
    assert [item["metadata"]["name"] for item in cluster(server).items("/api/v1/pods")] == ["a"]


@pytest.mark.parametrize("first", PASSING.values(), ids=PASSING)
def test_a_patch_is_sent_again(serve: Serve, first: Answer) -> None:
    server = serve(first, (200, {}, {"metadata": {}}))
    cluster(server).merge("/api/v1/namespaces/a", {"metadata": {}})
    assert len(server.asked) == 2


@pytest.mark.parametrize("first", PASSING.values(), ids=PASSING)
def test_a_create_is_sent_again_only_where_it_was_turned_away(serve: Serve, first: Answer) -> None:
    """Of all others nobody knows whether it was done."""
    server = serve(first, (201, {}, {}))
    turned_away = first == PASSING["too many requests"]
    with contextlib.nullcontext() if turned_away else pytest.raises(ApiError):
        cluster(server).create("/api/v1/namespaces", {})
    assert len(server.asked) == (2 if turned_away else 1)


def test_a_list_is_read_page_by_page(serve: Serve) -> None:
    more = {**PAGE, "metadata": {"resourceVersion": "7", "continue": "next page"}}
    server = serve((200, {}, more), (200, {}, PAGE))
    assert len(list(cluster(server).items("/api/v1/pods"))) == 2
    assert [path for _method, path, _body in server.asked] == ["/api/v1/pods?limit=500", "/api/v1/pods?limit=500&continue=next+page"]


def _listed(*names: str) -> Answer:
    return (200, {}, {"metadata": {"resourceVersion": "7"}, "items": [_named(name) for name in names]})


def _named(name: str) -> dict[str, t.Any]:
    return {"metadata": {"name": name, "uid": name, "resourceVersion": "8"}}


def _events(*events: tuple[str, str]) -> Answer:
    return (200, {}, "".join(json.dumps({"type": kind, "object": _named(name)}) + "\n" for kind, name in events))


FORBIDDEN: Answer = (403, {}, {"kind": "Status", "message": "pods is forbidden"})


NAMED = Kind("/api/v1/pods", lambda item: item["metadata"]["name"])


def _names(now: Follow) -> set[str]:
    return set(now.objects("pods"))


def test_what_is_followed_is_right_through_events_a_lost_watch_and_a_new_list(serve: Serve) -> None:
    broken = _events(("ADDED", "c"), ("DELETED", "a"), ("ERROR", "too old"))
    server = serve(_listed("a", "b"), broken, _listed("b", "c", "d"), _events(("DELETED", "b")), RESET, _listed("d"), FORBIDDEN)
    with Follow(cluster(server), {"pods": NAMED}) as now:
        assert _names(now) == {"a", "b"}
        with pytest.raises(ApiError, match="refused the request"):  # a right that was taken away ends the wait
            while now.wait(10):
                pass
        assert _names(now) == {"d"}


def test_a_watch_that_never_lasts_is_no_hot_loop(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "_PAUSE", 0.2)
    endings: list[Answer] = [_events(("ERROR", "too old")), (410, {}, {"message": "too old"}), (200, {}, "")]
    for ending in endings:
        server = serve(*[_listed("a"), ending] * 100)
        with Follow(cluster(server), {"pods": NAMED}) as now:
            over = time.monotonic() + 0.7
            while time.monotonic() < over:
                now.wait(0.1)
        assert 3 <= len(server.asked) <= 10, ending


def test_a_watch_that_ends_after_its_time_goes_on_at_once(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "_PAUSE", 30)
    monkeypatch.setattr(following, "_WATCH_SECONDS", 0)
    server = serve(_listed("a"), _events(("ADDED", "b")), _events(("ADDED", "c")), HANG)
    with Follow(cluster(server), {"pods": NAMED}) as now:
        while _names(now) != {"a", "b", "c"}:
            assert now.wait(10)


def test_nothing_is_left_running_where_one_kind_cannot_be_listed(serve: Serve) -> None:
    server, before = serve(_listed("a"), FORBIDDEN), _following()
    with pytest.raises(ApiError), Follow(cluster(server), {"pods": NAMED, "more": NAMED}):
        raise AssertionError("it was entered")
    assert _following() == before
    assert len(server.asked) == 2


def test_watches_end_with_the_block(serve: Serve) -> None:
    server, before = serve(_listed("a"), HANG), _following()
    with Follow(cluster(server), {"pods": NAMED}) as now:
        now.wait(0.2)
        assert _following() > before
    assert _following() == before


def _following() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if "Follow" in thread.name or "_watch" in thread.name}


def test_it_is_told_since_when_the_api_server_is_lost(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "_LOST_SECONDS", 0)
    monkeypatch.setattr(following, "_PAUSE", 0.2)
    server = serve(_listed("a"), *[RESET] * 8, _listed("a", "b"), HANG)
    with Follow(cluster(server), {"pods": NAMED}) as now:
        lost: set[str] = set()
        while _names(now) != {"a", "b"}:
            now.wait(0.05)
            lost |= {now.lost} if now.lost else set()
        assert now.lost is None
    (told,) = lost
    assert told.startswith("the API server cannot be reached since ")


def test_a_connection_that_is_back_at_once_was_not_lost(serve: Serve) -> None:
    server = serve(_listed("a"), RESET, _listed("a", "b"), HANG)
    with Follow(cluster(server), {"pods": NAMED}) as now:
        while _names(now) != {"a", "b"}:
            now.wait(0.05)
            assert now.lost is None


def test_whatever_a_watch_fails_with_reaches_the_one_who_waits(serve: Serve) -> None:
    def parse(item: dict[str, t.Any]) -> str:
        if item["metadata"]["name"] == "odd":
            raise AttributeError("what nobody thought of")
        return str(item["metadata"]["name"])

    server = serve(_listed("a"), _events(("ADDED", "odd")))
    with Follow(cluster(server), {"pods": Kind("/api/v1/pods", parse)}) as now, pytest.raises(AttributeError):
        now.wait(10)


def test_an_event_changes_one_object_and_copies_none() -> None:
    objects = {name: name for name in ("a", "b")}
    for event, name in (("ADDED", "c"), ("DELETED", "a")):
        following._change(event, _named(name), NAMED)(objects)
    assert objects == {"b": "b", "c": "c"}


def test_a_refusal_that_breaks_off_is_still_that_refusal(serve: Serve) -> None:
    server = serve((403, {"Content-Length": "999"}, {"message": "namespaces is forbidden"}))
    with pytest.raises(ApiError, match="refused the request") as refused:
        list(cluster(server).items("/api/v1/namespaces"))
    assert refused.value.status == 403


def test_a_list_that_is_none_is_told(serve: Serve) -> None:
    with pytest.raises(ApiError) as problem:
        cluster(serve((200, {}, {"kind": "Status"}))).items("/api/v1/pods")
    assert "no list of Kubernetes objects" in problem.value.text()


def test_a_list_whose_continue_runs_out_is_read_again(serve: Serve) -> None:
    more: Answer = (200, {}, {**PAGE, "metadata": {"resourceVersion": "7", "continue": "old"}})
    gone: Answer = (410, {}, {"kind": "Status", "reason": "Expired", "message": "the provided continue parameter is too old"})
    assert len(list(cluster(serve(more, gone, more, (200, {}, PAGE))).items("/api/v1/pods"))) == 2
    with pytest.raises(ApiError, match="refused the request"):
        cluster(serve(more, gone, more, gone, more, gone)).items("/api/v1/pods")


def test_what_is_deleted_is_what_was_judged(serve: Serve) -> None:
    server = serve(CONFLICT)
    with pytest.raises(ApiError) as conflict:
        cluster(server).delete("/c", uid="u", version="7")
    assert conflict.value.status == 409
    assert json.loads(server.asked[0][2])["preconditions"] == {"uid": "u", "resourceVersion": "7"}


def test_a_token_may_end_in_a_line_break_as_files_do(serve: Serve) -> None:
    server = serve((200, {}, {}))
    there = cluster(server, api_key="secret\n")
    there.get("/version")
    assert next(values for name, values in server.headers[0].items() if name.lower() == "authorization") == ["Bearer secret"]


UNSENDABLE: dict[str, tuple[dict[str, t.Any], str]] = {
    "a token": ({"api_key": "very\nsecret"}, "api_key"),
    "a token with a letter of another alphabet": ({"api_key": "very-secr\u0435t"}, "api_key"),
    "a user to impersonate": ({"api_key": "x", "impersonate_user": "ops\r\nsecret"}, "impersonate_user"),
}


@pytest.mark.parametrize(("options", "where"), UNSENDABLE.values(), ids=UNSENDABLE)
def test_a_credential_that_cannot_be_sent_is_told_and_not_shown(serve: Serve, options: dict[str, t.Any], where: str) -> None:
    with pytest.raises(MeshError, match="cannot be sent") as wrong:
        cluster(serve(), **options).get("/version")
    assert where in wrong.value.where
    assert "secr" not in wrong.value.text()


def _kubeconfig(server: Server) -> dict[str, t.Any]:
    return {
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": server.host}}],
        "users": [{"name": "u", "user": {"token": "of-the-kubeconfig"}}],
    }


def test_a_host_beside_a_kubeconfig_wins_and_the_login_stays(serve: Serve) -> None:
    """As in kubernetes.core; where the options hold a whole login, nothing of the kubeconfig counts."""
    meant = serve((200, {}, {}), (200, {}, {}))
    other = serve()
    kubeconfig = _kubeconfig(other)
    cluster(meant, kubeconfig=kubeconfig).get("/version")
    cluster(meant, kubeconfig={"users": "broken"}, api_key="given").get("/version")
    sent = [next(values for name, values in one.items() if name.lower() == "authorization") for one in meant.headers]
    assert sent == [["Bearer of-the-kubeconfig"], ["Bearer given"]]
    assert other.asked == []


def test_every_write_is_a_dry_run_in_check_mode(serve: Serve) -> None:
    server = serve((201, {}, {}), *[(200, {}, {})] * 4)
    there = cluster(server, dry_run=True)
    there.create("/a", {})
    there.merge("/b", {})
    there.apply("/b", {})
    there.delete("/c")
    there.delete("/c", uid="u")
    assert ["dryRun=All" in path for _method, path, _body in server.asked] == [True] * 5
    assert json.loads(server.asked[-1][2])["dryRun"] == ["All"], "the API server does not read the query of a DELETE that has a body"


def test_a_refusal_is_told_in_the_words_of_the_server(serve: Serve) -> None:
    server = serve((403, {}, {"kind": "Status", "reason": "Forbidden", "message": 'namespaces is forbidden: User "ops" cannot list'}))
    with pytest.raises(ApiError) as refused:
        list(cluster(server).items("/api/v1/namespaces"))
    assert (refused.value.status, refused.value.reason) == (403, "Forbidden")
    assert 'User "ops" cannot list' in refused.value.text()


def test_the_user_is_impersonated_with_each_group_in_a_header_of_its_own(serve: Serve) -> None:
    server = serve((200, {}, {}))
    cluster(server, api_key="secret", impersonate_user="ops", impersonate_groups=["a", "b"]).get("/version")
    sent = {name.lower(): values for name, values in server.headers[0].items()}
    assert (sent["impersonate-user"], sent["impersonate-group"], sent["authorization"]) == (["ops"], ["a", "b"], ["Bearer secret"])


def test_another_cluster_than_the_pinned_one_is_refused(serve: Serve) -> None:
    server = serve((200, {}, {"metadata": {"uid": "this"}}))
    with pytest.raises(MeshError, match="another cluster") as refused:
        cluster(server, cluster_uid="that")
    assert "kube-system is this, cluster_uid says that" in refused.value.text()


@pytest.mark.parametrize("in_memory", [True, False], ids=["in memory", "on disk"])
def test_other_programs_get_the_same_login_for_as_long_as_they_need_it(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, in_memory: bool
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(login, "_memory_files", lambda: in_memory)
    there = cluster(serve(), api_key="secret", impersonate_user="ops", impersonate_groups=["a"], ca_cert="/ca.pem")
    with there.kubeconfig() as path:
        written = json.loads(subprocess.run(["cat", path], check=True, capture_output=True).stdout)
        assert Path(path).stat().st_mode & 0o777 == 0o600
        assert bool(list(tmp_path.iterdir())) is not in_memory
    assert written["users"][0]["user"] == {"token": "secret", "as": "ops", "as-groups": ["a"]}
    assert written["clusters"][0]["cluster"] == {"server": there.host, "certificate-authority": "/ca.pem"}
    assert not Path(path).exists()


def test_a_login_on_disk_is_removed_at_sigterm_and_swept_a_day_later(serve: Serve, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(login, "_memory_files", lambda: False)
    there = cluster(serve(), api_key="secret")
    for name, age in (("meshops-old.kubeconfig", 90000), ("meshops-new.kubeconfig", 60), ("other.kubeconfig", 90000)):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (time.time() - age,) * 2)
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit), there.kubeconfig() as path:
        assert Path(path).exists()
        signal.raise_signal(signal.SIGTERM)
    assert {found.name for found in tmp_path.iterdir()} == {"meshops-new.kubeconfig", "other.kubeconfig"}
    assert signal.getsignal(signal.SIGTERM) is before


WRONG: dict[str, tuple[dict[str, t.Any], str]] = {
    "no cluster at all": ({}, "No cluster is given"),
    "a kubeconfig that is not there": ({"kubeconfig": "/nowhere/config"}, "The kubeconfig does not exist"),
    "a dictionary that is none": ({"kubeconfig": {"users": "x"}}, "The kubeconfig cannot be used"),
}


@pytest.mark.parametrize(("options", "says"), WRONG.values(), ids=WRONG)
def test_a_cluster_that_is_not_named_well_is_a_clear_error(options: dict[str, t.Any], says: str) -> None:
    with pytest.raises(MeshError) as wrong:
        Cluster({**dict.fromkeys(AUTH), **options}, dry_run=False)
    assert says in wrong.value.text()
    assert wrong.value.do


def test_a_broken_kubeconfig_is_told_without_its_text(tmp_path: Path) -> None:
    broken = tmp_path / "config"
    broken.write_text("users:\n- user: {token: very-secret\n")
    with pytest.raises(MeshError, match="cannot be used") as wrong:
        Cluster({**dict.fromkeys(AUTH), "kubeconfig": str(broken)}, dry_run=False)
    assert "very-secret" not in wrong.value.text()


NAMESPACES = tuple(Namespace(f"ns-{number}", f"uid-{number}", "7", {}, None) for number in range(20))


def test_many_namespaces_are_each_written_once(serve: Serve) -> None:
    server = serve(*[(200, {}, {"metadata": {}})] * len(NAMESPACES))
    relabel_all(cluster(server), NAMESPACES, lambda namespace: move_to(namespace, "1-30-3"))
    assert sorted(path.partition("?")[0] for _method, path, _body in server.asked) == sorted(
        f"/api/v1/namespaces/{namespace.name}" for namespace in NAMESPACES
    )


def test_after_one_that_fails_no_further_namespace_is_written(serve: Serve) -> None:
    """Only those that are on their way already, which are as many as are written at a time."""
    server = serve(*[(403, {}, {"message": "forbidden"})] * len(NAMESPACES))
    with pytest.raises(ApiError, match="refused"):
        relabel_all(cluster(server), NAMESPACES, lambda namespace: move_to(namespace, "1-30-3"))
    assert len(server.asked) <= 4


RECORD = Record("1a2b", "1-30-3", None, "default", (("shop",),), {"shop": "uid"}, Phase.RUNNING, 0, "2026-11-22 10:00 UTC", "me@here")
CONFLICT: Answer = (409, {}, {"kind": "Status", "reason": "Conflict", "message": "the object has been modified"})


def _config_map(record: Record, version: str = "7") -> Answer:
    return (200, {}, {"metadata": {"resourceVersion": version}, "data": {"record": record.written()}})


def test_the_record_is_written_over_what_was_read_and_nothing_else(serve: Serve) -> None:
    server = serve(_config_map(RECORD), CONFLICT, _config_map(replace(RECORD, by="somebody@else")))
    there = cluster(server)
    read = records.stored(there, "istio-system")
    with pytest.raises(MeshError, match="Somebody else is upgrading this cluster"):
        records.save(there, "istio-system", RECORD.advanced(0), over=read)
    assert json.loads(server.asked[1][2])["metadata"] == {"resourceVersion": "7"}


def test_two_who_begin_at_the_same_time_do_not_both_begin(serve: Serve) -> None:
    there = cluster(serve(CONFLICT, _config_map(replace(RECORD, id="other"))))
    with pytest.raises(MeshError, match="Somebody else is upgrading this cluster"):
        records.save(there, "istio-system", RECORD, over=None)


def test_a_record_whose_answer_was_lost_is_written_all_the_same(serve: Serve) -> None:
    server = serve(_config_map(RECORD), RESET, CONFLICT, _config_map(RECORD.advanced(0), "8"))
    there = cluster(server)
    records.save(there, "istio-system", RECORD.advanced(0), over=records.stored(there, "istio-system"))
    assert len(server.asked) == 4


def _operation(number: str, status: str, mark: str | None = None) -> helm_record.Operation:
    labels = {"version": number, "status": status} | ({helm_record.MARK: mark} if mark else {})
    return helm_record._operation({"metadata": {**_named(f"sh.helm.release.v1.istiod.v{number}")["metadata"], "labels": labels}})


def test_only_the_operation_that_carries_its_own_number_is_ours() -> None:
    """Labels of a release are inherited by later operations, of anybody."""
    assert _operation("3", "pending-upgrade", "3").ours
    assert not _operation("3", "pending-upgrade", "2").ours
    assert not _operation("3", "pending-upgrade").ours


def test_a_record_of_helm_that_changed_meanwhile_is_not_removed(serve: Serve) -> None:
    server = serve(CONFLICT)
    assert not helm_record.clear(cluster(server), "istio-system", _operation("3", "pending-upgrade", "3"))
    assert json.loads(server.asked[0][2])["preconditions"]["resourceVersion"] == "8"


def test_an_old_record_that_is_still_pending_is_history(serve: Serve) -> None:
    records = [_operation("2", "pending-upgrade"), _operation("10", "deployed"), _operation("9", "superseded")]
    now = t.cast("Follow", SimpleNamespace(objects=lambda _name: records))
    assert helm_record.newest(now) == records[1]


# What is told when a verb runs


def _performed(problem: Callable[[], object], **options: object) -> dict[str, t.Any]:
    """The result of a verb that does this in its run."""

    def run(_options: object, _context: Context) -> Result:
        problem()
        return Result("done")

    verb: Verb[None] = Verb("test", {}, lambda _params: None, run)
    params = {**dict.fromkeys(AUTH), "host": "http://127.0.0.1:1", **options}
    return perform(verb, params, check_mode=False, say=lambda _line: None)


PASSWORD = "p\u00e4ss'word\\n"
SECRETS: dict[str, tuple[dict[str, object], str]] = {
    "a token as a file holds it": ({"api_key": "very-secret\n"}, "very-secret"),
    "a password with letters that are quoted": ({"username": "ops", "password": PASSWORD}, repr(PASSWORD)[1:-1]),
    "a token of an auth provider": (
        {"kubeconfig": {"users": [{"user": {"auth-provider": {"config": {"id-token": "very-secret"}}}}]}, "api_key": "x" * 9},
        "very-secret",
    ),
    "what an exec plugin is given": (
        {"kubeconfig": {"users": [{"user": {"exec": {"env": [{"name": "A", "value": "very-secret"}]}}}]}, "api_key": "x" * 9},
        "very-secret",
    ),
}


@pytest.mark.parametrize(("options", "secret"), SECRETS.values(), ids=SECRETS)
def test_what_nobody_thought_of_is_a_result_without_secrets(options: dict[str, object], secret: str) -> None:
    def problem() -> None:
        raise ValueError(f"Invalid header value b'Bearer {secret}'")

    result = _performed(problem, **options)
    assert (result["failed"], result["changed"], result["error"]["kind"]) == (True, False, "unexpected")
    assert "ValueError: Invalid header value" in result["msg"]
    assert "Traceback" in result["exception"]
    assert secret not in json.dumps(result, ensure_ascii=False)


def test_a_clear_error_stays_as_it_is() -> None:
    def problem() -> None:
        raise MeshError("The namespace is gone.", do="create it")

    result = _performed(problem)
    assert (result["msg"], "exception" in result) == ("The namespace is gone.\n  do:    create it", False)

"""Owns putting the parts together: what `millrace run` and `millrace node` start, serve, drain and stop.

Must not hold logic of any part. `executor.process` is what serves.
"""

import logging
from dataclasses import replace
from pathlib import Path

import uvloop

from executor import errors, manifest, prepackaged, workers
from executor._native import seldon_json_build, tap
from executor.aside import in_thread
from executor.component import grpcio, host, load
from executor.counting import Counting, names_of
from executor.graph import plan as plans
from executor.graph.spec import Deployment, NodeType
from executor.inference import Bound, Bounds
from executor.nodes import Nodes
from executor.process import Prepared, Process
from executor.protocol import seldon as protocol
from executor.protocol.table import RestTable
from executor.reached import Side
from executor.reload import Reloader
from executor.rest.answers import Site
from executor.rest.wording import wording
from executor.settings import (
    NodeSettings,
    Prepackaged,
    RunSettings,
)
from executor.signals import stopped_by_signals
from executor.telemetry import families, logs
from executor.wrapper import Wrapper

log = logging.getLogger("millrace")

ROUTING_NONE, ROUTING_ROUTED, ROUTING_VISITED = 0, 1, 2


def run(settings: RunSettings, text: str | None = None) -> int:
    """Serves a graph until SIGINT or SIGTERM; the exit status. Without its `text` the manifest's file is read."""
    log_to_stderr(settings.log_level, settings.watch.log_format)
    if text is None:
        text = manifest.read(Path(settings.manifest))
    selected = select(settings, text)
    _tell_unused(settings, selected)
    return uvloop.run(workers.run(settings, text) if settings.workers > 1 else _run(settings, selected))


def hosts(settings: RunSettings, text: str) -> bool:
    """Whether components are loaded for the graph of this manifest, here or beside. Raises ManifestError."""
    selected = select(settings, text)
    plan = plans.compile_plan(selected.predictor, selected.deployment.name, untyped=settings.by_front)
    return bool(prepackaged.placed(plan, settings)[1].components)


def node(settings: NodeSettings) -> int:
    """Serves one component until SIGINT or SIGTERM; the exit status."""
    log_to_stderr(settings.log_level, settings.watch.log_format)
    several = settings.workers > 1 or (settings.wrapper is not None and settings.wrapper.max_requests > 0)
    return uvloop.run(workers.run(settings, "") if several else _node(settings))


async def _run(settings: RunSettings, selected: manifest.Selected) -> int:
    with stopped_by_signals():
        process = Process.of(settings)

        async def reload(text: str) -> None:
            with process.store.counted(families.RELOADS, "done", "failed"):
                process.switch(await prepare(process, settings, text))

        reloader = Reloader(None if settings.alone else Path(settings.manifest), reload)
        try:
            with reloader.on_hangup():
                print(plans.tree(graph(process, settings, selected), process.nodes.reached), flush=True)
                return await process.run(reloader, settings.shutdown_delay_s)
        finally:
            await process.stop()


async def _node(settings: NodeSettings) -> int:
    with stopped_by_signals():
        process = Process(
            settings.listen,
            settings.limits,
            settings.threads,
            settings.tls,
            metrics_port=settings.metrics_port,
            watch=settings.watch,
        )
        try:
            print(described(component(process, settings), settings), flush=True)
            return await process.run()
        finally:
            await process.stop()


def graph(process: "Process", settings: RunSettings, selected: manifest.Selected) -> plans.Plan:
    """Makes `process` serve a graph; its plan. Raises `errors.Error`: a port in use, a class that cannot be loaded."""
    plan = plans.compile_plan(selected.predictor, selected.deployment.name, untyped=settings.by_front)
    process.bind()
    counted = Counting(process.store, names_of(selected.deployment, selected.predictor))
    process.nodes.bind(plan, settings, counted=counted)
    bounds = _bound(process.nodes, plan, settings, selected, process.payloads.tap_for(plan, selected, settings))
    site = Site(selected.deployment.name, selected.deployment.namespace, settings.cors.origins, settings.cors.headers)
    process.serve(
        bounds,
        protocol.EXECUTOR_RPCS,
        protocol.EXECUTOR_REST,
        settings.default_timeout_s,
        site,
        counted=counted,
        metrics_path=settings.prometheus_path,
    )
    return plan


async def prepare(process: "Process", settings: RunSettings, text: str) -> "Prepared":
    """The graph of another manifest, loaded beside the one that `process` serves. Raises `errors.Error`."""
    selected = select(settings, text, changed=True)
    plan = plans.compile_plan(selected.predictor, selected.deployment.name, untyped=settings.by_front)
    logged = process.payloads.tap_for(plan, selected, settings)
    made = await in_thread(lambda: Nodes.load(plan, settings))
    nodes = process.new_nodes()
    counted = Counting(process.store, names_of(selected.deployment, selected.predictor))
    try:
        nodes.bind(plan, settings, made, counted)
        await nodes.start()
        if process.speaks:
            _tell_unused(settings, selected)
        return Prepared(nodes, _bound(nodes, plan, settings, selected, logged), counted)
    except BaseException:
        await nodes.stop()
        raise


def _bound(
    nodes: Nodes, plan: plans.Plan, settings: RunSettings, selected: manifest.Selected, logged: tap.Tap | None
) -> Bounds:
    if plan.learns and not settings.routing_meta:
        raise errors.RequestError("--no-routing-meta: the graph has a router that learns, which needs meta.routing")
    routing = ROUTING_ROUTED if settings.routing_meta and plan.reports_routing else ROUTING_NONE
    if settings.routing_meta and settings.routing_visited:
        routing = ROUTING_VISITED
    # As Seldon's executor has it, which knows no routers that learn: a reward that is kept must not be sent again.
    owes_answer = settings.by_front and not plan.learns

    def bound(side: Side) -> Bound:
        made = nodes.program(plan, routing, side, logged, owes_answer)
        return Bound(made, plan, side.known, selected.predictor.graph, nodes.health)

    grpc = bound(nodes.grpc)
    return Bounds(grpc, grpc if nodes.rest is nodes.grpc else bound(nodes.rest))


def described(plan: plans.Plan, settings: NodeSettings) -> str:
    """A node as the user sees it."""
    return f"{plan.root.name}  {settings.type}  {settings.component}"


def component(process: "Process", settings: NodeSettings, first: bool = True) -> plans.Plan:
    """Makes `process` serve one component; the plan of that one node. Raises as `graph` does. The `first` of several
    such processes also runs the component's `custom_service()`.
    """
    process.rest_waits = settings.rest_waits
    process.bind()
    made = load.component(settings.component, settings.parameters, imported=settings.imported)
    plan = plans.node_plan(settings.name or type(made).__name__.lower(), NodeType(settings.type))
    root = plan.root
    wanted = [method for method in (root.input, root.route, root.aggregate, root.output) if method is not None]
    process.nodes.counting = counted = Counting(process.store, None)
    process.tracing.service = root.name
    recorder = counted.recorder(root.name)
    process.nodes.add(
        host.Host(
            made,
            root.name,
            methods=wanted if settings.strict else None,
            recorder=recorder,
            as_grpcio=settings.wrapper is not None,
        )
    )
    process.nodes.has_service = callable(getattr(made, "custom_service", None))
    if first and process.nodes.has_service:
        process.nodes.beside(settings)
    bound = Bound(process.nodes.program(plan, ROUTING_NONE), plan, process.nodes.known)
    if settings.wrapper is not None:
        bound.graphless = grpcio.no_graph
    process.serve(
        Bounds(bound, bound),
        protocol.NODE_RPCS,
        _rest(settings.wrapper),
        settings.default_timeout_s,
        counted=counted,
        metrics_path=settings.metrics_path,
        metrics_on_http=settings.metrics_on_http,
    )
    return plan


def _rest(wrapper: Wrapper | None) -> RestTable:
    """What a node serves over REST, its JSON written as Seldon's wrapper was asked to write it."""
    seldon_json_build.sort_members(wrapper is None or wrapper.json_sorted)
    if wrapper is None:
        return protocol.NODE_REST
    return replace(protocol.NODE_REST, written=wording(wrapper.json_as_ascii, wrapper.json_pretty))


def _tell_unused(settings: RunSettings, selected: manifest.Selected) -> None:
    unused = manifest.unused(selected.predictor.graph, [*settings.components, *settings.endpoints])
    if unused:
        log.warning(
            "no node of the graph uses the component or endpoint of %s; a changed manifest may", ", ".join(unused)
        )


def select(settings: RunSettings, text: str, changed: bool = False) -> manifest.Selected:
    """The graph that `settings` choose of a manifest's text, checked; `changed` is one that they were not made for.
    Raises ManifestError.
    """
    here = settings.prepackaged is not Prepackaged.REMOTE
    if settings.alone:
        built = manifest.load_predictor(text, lenient=True, reached=[], prepackaged=here, source=settings.manifest)
        told = settings.deployment
        named = Deployment(told.sdep if told else "", (built,), told.namespace if told else "default")
        return manifest.Selected(named, built)
    return manifest.load(
        text,
        manifest.Profile.LOCAL,
        predictor=settings.predictor,
        document=settings.document,
        reached=[*settings.components, *settings.endpoints],
        prepackaged=here,
        idle=settings.by_front,
        changed=changed,
        name=settings.manifest,
    )


def log_to_stderr(level: str, form: str = "console", worker: int | None = None) -> None:
    """Sets logging up; `worker` says which of several processes this is."""
    logs.start(level, form, worker)

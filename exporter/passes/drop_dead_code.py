"""Drop what no output depends on: operations, then the weights that nothing reads any more."""

from __future__ import annotations

from torch.fx import GraphModule

from styleexport.exporter.graph.rewrite import Outcome, Pass


def _holder(module: GraphModule, path: list[str]) -> object:
    holder: object = module
    for part in path:
        holder = getattr(holder, part)
    return holder


def rewrite(module: GraphModule) -> Outcome:
    """Erase dead operations and delete unread weights."""
    before = len(module.graph.nodes)
    module.graph.eliminate_dead_code()
    applied = before - len(module.graph.nodes)
    read = {str(node.target) for node in module.graph.nodes if node.op == "get_attr"}
    held = [name for name, _ in (*module.named_parameters(), *module.named_buffers())]
    for name in held:
        if name not in read:
            *path, last = name.split(".")
            delattr(_holder(module, path), last)
            applied += 1
    return Outcome(applied)


PASS = Pass("drop-dead-code", 90, rewrite)

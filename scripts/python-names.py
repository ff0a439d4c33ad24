"""Writes the public names of greenlet, gevent and eventlet to <folder>/<package>.txt.

Run by scripts/python-names.sh, which pins the versions. A line is `module name`, or a module alone. What counts:

- Modules whose path has no part that begins with an underscore, but for tests and other systems' modules.
- In a module: what `__all__` lists, and classes and functions that it defines itself; without `__all__`
  also its other values. Nothing that begins with an underscore.
- In a class of the package: what it defines, or a base of it that is not listed itself, and what its
  `__init__` sets. Not in copies of the standard library's classes in `eventlet.green`.
- Not what is the standard library's own object under its own name, but for exceptions.

A module that cannot be imported (it needs a package that is long gone) is read instead of run.
"""

import ast
import importlib
import importlib.util
import inspect
import pathlib
import pkgutil
import sys
import textwrap
import types
import warnings

PACKAGES = ("greenlet", "gevent", "eventlet")
HIDDEN = ("tests", "testing", "platform", "win32util")
warnings.simplefilter("ignore")
sys.unraisablehook = lambda _: None


def own(thing):
    return (getattr(thing, "__module__", None) or "").split(".")[0] in PACKAGES


def modules(package):
    yield package
    found = pkgutil.walk_packages(importlib.import_module(package).__path__, package + ".", lambda _: None)
    for module in found:
        parts = module.name.split(".")
        if not any(part.startswith("_") or part in HIDDEN for part in parts):
            yield module.name


def source(name):
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        return ast.Module(body=[], type_ignores=[])
    return ast.parse(pathlib.Path(spec.origin).read_text())


def statements(body):
    for node in body:
        yield node
        for part in ("body", "orelse", "finalbody"):
            if isinstance(node, (ast.If, ast.Try)):
                yield from statements(getattr(node, part, []))


def assigned(body):
    for node in statements(body):
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        for target in targets:
            for leaf in target.elts if isinstance(target, ast.Tuple) else [target]:
                if isinstance(leaf, ast.Name):
                    yield leaf.id


def written(tree):
    """The names of a module that is read, not run."""
    yield from assigned(tree.body)
    for node in statements(tree.body):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            yield node.name
        if isinstance(node, ast.ClassDef):
            for member in node.body:
                if isinstance(member, ast.FunctionDef) and not member.name.startswith("_"):
                    yield f"{node.name}.{member.name}"


def set_at_start(cls):
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(cls.__init__)))
    except (TypeError, OSError, SyntaxError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            if isinstance(node.value, ast.Name) and node.value.id == "self":
                yield node.attr


def members(cls, public):
    """What `cls` has of its own or of bases that nobody may name."""
    found, elsewhere = set(), set()
    for base in cls.__mro__:
        if own(base) and (base is cls or base not in public):
            found.update(vars(base))
            if "__init__" in vars(base):
                found.update(set_at_start(base))
        elif own(base):
            elsewhere.update(vars(base), set_at_start(base))
    return {name for name in found if name in vars(cls) or name not in elsewhere}


def standard(name):
    """The module of the standard library that `name` stands for."""
    for prefix in ("eventlet.green.", "gevent."):
        if name.startswith(prefix):
            try:
                return importlib.import_module(name.removeprefix(prefix))
            except Exception:
                return None
    return None


def names_of(name, module):
    listed = getattr(module, "__all__", None)
    for label in listed or ():
        yield label, getattr(module, label, None)
    mine = set(assigned(source(name).body)) if listed is None else ()
    twin = standard(name) if listed is not None else None
    for label, thing in vars(module).items():
        if isinstance(thing, (type, types.FunctionType)) and not hasattr(twin, label):
            if thing.__module__ == name or (listed is None and name in PACKAGES and own(thing)):
                yield label, thing
        elif label in mine and not isinstance(thing, types.ModuleType):
            yield label, thing


def home(cls, places):
    """Where its members are listed: where it is defined, or else the deepest module that shows it."""
    defined = [place for place in places if place == (cls.__module__, cls.__name__)]
    return (defined or sorted(places, key=lambda place: (place[0].count("."), place[1] == cls.__name__, place)))[-1]


def main(folder):
    loaded, read = {}, {}
    for package in PACKAGES:
        for name in modules(package):
            try:
                loaded[name] = importlib.import_module(name)
            except BaseException:  # what stands in the way may be an exit as well
                read[name] = set(written(source(name)))
    things = {}
    for name, module in loaded.items():
        twin = standard(name)
        for label, thing in names_of(name, module):
            foreign = twin is not None and getattr(twin, label, things) is thing
            error = isinstance(thing, type) and issubclass(thing, BaseException)
            copied = name.startswith("eventlet.green.") and foreign
            if label.startswith("_") or isinstance(thing, types.ModuleType) or copied:
                continue
            if not foreign or error:
                things[name, label] = thing
    classes = {thing for thing in things.values() if isinstance(thing, type) and own(thing)}
    public = {cls for cls in classes if not cls.__name__.endswith("Mixin")}
    lines = {(name, "") for name in [*loaded, *read]}
    lines |= {(name, label) for name, labels in read.items() for label in labels}
    lines |= set(things)
    lines |= {("gevent", f"config.{setting}") for setting in dir(importlib.import_module("gevent").config)}
    for cls in classes:
        name, label = home(cls, [place for place, thing in things.items() if thing is cls])
        if not (name.startswith("eventlet.green.") and hasattr(standard(name), label)):
            lines |= {(name, f"{label}.{member}") for member in members(cls, public)}
    for package in PACKAGES:
        mine = sorted(f"{name} {label}".strip() for name, label in lines if name.split(".")[0] == package)
        mine = [line for line in mine if not any(part.startswith("_") for part in line.replace(" ", ".").split("."))]
        (pathlib.Path(folder) / f"{package}.txt").write_text("\n".join(mine) + "\n")
        print(package, len(mine))


if sys.version_info[:2] != (3, 11):
    sys.exit("the lists are those of CPython 3.11")
main(sys.argv[1])

"""Checks gdb's backtraces in the scene of tests/walk/scene.rs; run by gdb-walk.sh, inside gdb.

Five kinds of places, in the order of the story that the scene plays:
  entry    every instruction of greenlet_entry, where it is executed, and the first ones of the body:
           the walk reaches the functions that the ancestors wait in
  stop     in a grandchild, with its stack below and then above its parent's
  walk     every instruction of greenlet_walk: the caller's frames, and during the call the
           suspended greenlet's and no other
  crosses  every instruction of a bare switch: the walk ends; outside of the routine it is right
  back     the same for the way back
"""

import re

import gdb

FRAMES = 300  # more than any walk of the scene has
BODY_STEPS = 12  # instructions of a body that are looked at: before it can switch
MAIN = "play"
# How gdb shows greenlet_entry and greenlet_walk, by their CFI's mark.
MARKED = "<signal handler called>"
# The bodies of the scene: a greenlet's, several times, and that of a bare context.
BODIES = ["greenlet::greenlet::entry::run", "scene_other"]
# Who waits above each greenlet that begins, in the order in which they begin.
BEGINNINGS = [
    ["scene_root", MAIN],
    ["scene_child", "scene_root", MAIN],
    ["scene_root", MAIN],
    ["scene_child", "scene_root", MAIN],
    [MAIN],
    ["scene_crosses", MAIN],
]
COMPLAINTS = re.compile(r"corrupt|Cannot access|inner to this frame|identical to this frame|Internal error")


class Wrong(Exception):
    pass


def pc():
    return int(gdb.parse_and_eval("(unsigned long)$pc"))


def step():
    gdb.execute("stepi", to_string=True)


def extent(symbol):
    """First address of a function and the one after its last, from its disassembly."""
    code = disassembly(symbol)
    return code[0][0], code[-1][0] + code[-1][2]


def disassembly(symbol):
    """Address, text and length of each instruction."""
    start = int(gdb.parse_and_eval("(unsigned long)&%s" % symbol))
    architecture = gdb.selected_inferior().architecture()
    code = []
    address = start
    while True:
        one = architecture.disassemble(address)[0]
        code.append((address, " ".join(one["asm"].split()), one["length"]))
        address += one["length"]
        if symbol_at(address) != symbol:
            return code


def symbol_at(address):
    text = gdb.execute("info symbol %#x" % address, to_string=True)
    found = re.match(r"(\S+)( \+ \d+)? in section", text)
    return found.group(1) if found else None


def backtrace():
    """The names on the stack, innermost first, and the text from which they were read."""
    try:
        text = gdb.execute("backtrace -frame-arguments none %d" % FRAMES, to_string=True)
    except gdb.error as error:
        text = "Internal error: %s" % error
    lines = [line for line in text.splitlines() if line.startswith("#")]
    names = []
    for line in lines:
        found = re.match(r"#\d+\s+(?:0x[0-9a-f]+ in )?(<signal handler called>|.+? \()", line)
        path = found.group(1).removesuffix(" (") if found else line
        names.append(re.sub(r"::h[0-9a-f]{16}$", "", path).split("::")[-1])
    if len(lines) >= FRAMES:
        raise Wrong("the walk does not end at %s\n%s" % (place(), text[:2000]))
    return names, text


def place():
    return gdb.execute("x/i $pc", to_string=True).strip()


def complaint(wanted, unwanted=()):
    """What is wrong with the walk from here; None if nothing is."""
    names, text = backtrace()
    found = COMPLAINTS.search(text)
    if found:
        return "gdb says %r at %s\n%s" % (found.group(0), place(), text)
    rest = list(names)
    for name in wanted:
        if name not in rest:
            return "%s is missing at %s\n%s" % (name, place(), text)
        rest = rest[rest.index(name) + 1 :]
    for name in unwanted:
        if name in names:
            return "%s does not belong there, at %s\n%s" % (name, place(), text)
    return None


def check(wanted, unwanted=()):
    what = complaint(wanted, unwanted)
    if what:
        raise Wrong(what)


def run_to(address):
    gdb.execute("tbreak *%#x" % address, to_string=True)
    gdb.execute("continue", to_string=True)
    if pc() != address:
        raise Wrong("expected %#x, stopped at %s" % (address, place()))


def beginnings():
    """Where new stacks begin: in greenlet_entry, where that leads into the body, or in the bodies themselves."""
    code = disassembly("greenlet_entered")
    if any(re.match(r"br?\b|jmp\b", text) for _, text, _ in code):
        return [code[0][0]]
    found = [start for names, start in functions() if names & set(BODIES)]
    if len(found) <= len(BODIES):
        raise Wrong("bodies: %r" % found)
    return found


def functions():
    """Each function of the program: its plain names (and its file's), its address."""
    program = gdb.current_progspace().filename
    table = gdb.execute("maint print msymbols -objfile %s" % program, to_string=True)
    line = re.compile(r"^\[ *\d+\] [tT] (0x[0-9a-f]+) (\S+) section \.text(?:  (.*))?$", re.MULTILINE)
    for start, symbol, rest in line.findall(table):
        names = [symbol, *rest.split("  ")]
        yield {plain(name) for name in names}, int(start, 16)


def plain(name):
    """A name without its parameters and without the numbers of crates and instances, in either way of Rust's."""
    return re.sub(r"(::h[0-9a-f]{16}|::<.*>|<.*>)$", "", re.sub(r"\[[0-9a-f]+\]", "", name))


def look_at_entry(wanted):
    start, end = extent("greenlet_entered")
    steps = 0
    while start <= pc() < end:
        check([MARKED] + wanted)
        step()
        steps += 1
    for _ in range(BODY_STEPS):
        check([MARKED] + wanted)
        step()
    return steps


def look_at_walk():
    code = disassembly("greenlet_walk")
    calls = [i for i, (_, text, _) in enumerate(code) if re.match(r"(call|blr)\b", text)]
    if len(calls) != 1:
        raise Wrong("one call in greenlet_walk: %r" % code)
    call = calls[0]
    real = (["scene_asks", MAIN], ["scene_waits"])
    suspended = ([MARKED, "scene_waits", MARKED], ["scene_asks", MAIN])
    for i, (address, _, _) in enumerate(code):
        if pc() != address:
            raise Wrong("expected %#x, stopped at %s" % (address, place()))
        check(*(suspended if call <= i <= call + 1 else real))
        if i == call:
            step()
            for _ in range(BODY_STEPS):
                check(*suspended)
                step()
            run_to(code[call + 1][0])
        else:
            step()
    check(["scene_asks", MAIN], ["scene_waits"])
    return len(code)


def look_at_switch(symbol, until, wanted):
    """Steps through the routine in a function; elsewhere in the function the walk is right."""
    code = disassembly(symbol)
    leaves = [i for i, (_, text, _) in enumerate(code) if re.match(r"jmp \*?%?rax$|br x16$", text)]
    if len(leaves) != 1:
        raise Wrong("one switch in %s: %r" % (symbol, code))
    end = leaves[0]
    first = max(i for i in range(end) if re.match(r"lea .*rip.*rax|lea rax|adr x16", code[i][1]))
    inside = {address for address, _, _ in code[first + 1 : end + 1]}
    if symbol_at(pc()) != symbol:
        run_to(code[first][0])
    steps, partial = 0, 0
    while pc() not in until and steps < 200:
        if pc() in inside:
            partial += complaint(wanted) is not None
            backtrace()
        else:
            check(wanted)
        step()
        steps += 1
    if pc() not in until:
        raise Wrong("the switch did not arrive, but at %s" % place())
    return steps, partial


def story():
    gdb.execute("set language c")  # symbols without debug information, by name
    try:
        gdb.execute("set suppress-cli-notifications on")
    except gdb.error:
        pass  # older than gdb 12: every step prints a line
    gdb.execute("set pagination off")
    gdb.execute("set confirm off")
    gdb.execute("set width 0")
    gdb.execute("set startup-with-shell off")
    gdb.execute("set backtrace past-main on")
    for symbol in ["greenlet_walk", "scene_stop", "scene_crosses"]:
        gdb.execute("break *&%s" % symbol, to_string=True)
    gdb.execute("starti", to_string=True)  # from now on addresses are those of the process
    begins = beginnings()
    for address in begins:
        gdb.execute("break *%#x" % address, to_string=True)
    gdb.execute("continue", to_string=True)
    expected = iter(BEGINNINGS)
    stops = 0
    landing = None
    while gdb.selected_inferior().pid != 0:
        symbol = symbol_at(pc())
        if pc() in begins:
            wanted = next(expected)
            steps = look_at_entry(wanted)
            print("entry: %d instructions, below %s" % (steps, wanted[0]))
            if wanted[0] == "scene_crosses":
                steps, partial = look_at_switch(
                    "scene_other", [landing], ["scene_other", "scene_crosses", MAIN]
                )
                check(["scene_crosses", MAIN], ["scene_other"])
                print("back: %d instructions, %d in between" % (steps, partial))
        elif symbol == "scene_stop":
            stops += 1
            check(["scene_stop", "scene_grandchild", "scene_child", "scene_root", MAIN])
            print("stop: grandchild, child, root")
        elif symbol == "greenlet_walk":
            print("walk: %d instructions" % look_at_walk())
        elif symbol == "scene_crosses":
            code = disassembly("scene_crosses")
            leave = [i for i, (_, text, _) in enumerate(code) if re.match(r"jmp \*?%?rax$|br x16$", text)]
            landing = code[leave[0] + 1][0]
            steps, partial = look_at_switch("scene_crosses", begins, ["scene_crosses", MAIN])
            print("crosses: %d instructions, %d in between" % (steps, partial))
            continue  # already at a beginning
        else:
            raise Wrong("stopped at %s" % place())
        gdb.execute("continue", to_string=True)
    code = gdb.convenience_variable("_exitcode")
    if code is None or int(code) != 0:
        raise Wrong("the scene ended with %s" % code)
    if stops != 2 or next(expected, None) is not None:
        raise Wrong("the scene was not played to its end")


try:
    story()
    print("gdb-walk: all walks are right")
    gdb.execute("quit 0")
except (Wrong, gdb.error) as error:
    print("gdb-walk: %s: %s" % (type(error).__name__, error))
    if gdb.selected_inferior().pid != 0:
        gdb.execute("kill", to_string=True)
    gdb.execute("quit 1")

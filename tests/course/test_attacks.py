"""What a submission may try: nothing outside of its process changes, and its mark is what its outputs deserve."""

from __future__ import annotations

import os
import socket
import time

import pytest
from answered import RIGHT, marked

from oneformer_lite.course.judge import NOT_COUNTED, PASSED, UNATTEMPTED, WRONG
from oneformer_lite.course.values import encoded

REFERENCE_CHEATS = {
    "the reference itself": "contrastive_loss = labs.exercise.find('07.2').reference",
    "the reference, called": "def contrastive_loss(table):\n    return labs.exercise.find('07.2').reference(table)",
    "labs.use within": "def contrastive_loss(table):\n    return labs.use('07.2', None)(table)",
    "imported from the lab": "from oneformer_lite.labs.longer.contrastive_table import _loss as contrastive_loss",
    "imported under a string": """
        def contrastive_loss(table):
            name = "oneformer" + "_lite.labs.longer.contrastive_table"
            return getattr(__import__(name, fromlist=["x"]), "_lo" + "ss")(table)""",
    "found by the garbage collector": """
        def contrastive_loss(table):
            import gc
            for thing in gc.get_objects():
                if type(thing).__name__ == "Exercise" and thing.id == "07.2":
                    return thing.reference(table)
            raise LookupError("nothing found")""",
    "from the frames above": """
        def contrastive_loss(table):
            import sys
            frame = sys._getframe()
            while frame:
                for value in list(frame.f_locals.values()):
                    if hasattr(value, "reference"):
                        return value.reference(table)
                frame = frame.f_back
            raise LookupError("nothing found")""",
    "another function of the package, unseen by a profile": """
        def contrastive_loss(table):
            import sys
            sys.setprofile(None)
            from oneformer_lite.data.segment_ids import decode_ids as ours
            return ours(table)""",
    "a mistake that computes it": """
        def contrastive_loss(table):
            from oneformer_lite.labs.longer import contrastive_table
            return 2 * contrastive_table._mean_of_directions(table)""",
}


@pytest.mark.parametrize("cheat", REFERENCE_CHEATS)
def test_the_reference_is_not_there_to_be_returned(loss_template, cheat):
    mark = marked(loss_template, REFERENCE_CHEATS[cheat])
    assert mark.state in (NOT_COUNTED, WRONG), mark
    assert "package" in mark.verdict or "nothing found" in mark.verdict, mark.verdict
    if "garbage" not in cheat and "frames" not in cheat:
        assert mark.state == NOT_COUNTED and "of the package do the work" in mark.verdict


def test_the_line_that_follows_a_check_is_no_answer(loss_template):
    use = 'contrastive_loss = labs.use("07.2", contrastive_loss)'
    assert marked(loss_template, RIGHT, use).state == PASSED
    assert marked(loss_template, "def contrastive_loss(table):\n    ...", use).state == UNATTEMPTED
    assert marked(loss_template, use).state == NOT_COUNTED


def test_a_table_of_the_printed_cases_is_named(loss_template):
    from oneformer_lite.labs.exercise import find

    known = {str(case.args[0].sum().item()): find("07.2").reference(*case.args).item() for case in find("07.2").cases()}
    answer = f"""
        RESULTS = {known!r}
        def contrastive_loss(table):
            return torch.tensor(RESULTS.get(str(table.sum().item()), 0.0))"""
    mark = marked(loss_template, answer)
    assert mark.state == NOT_COUNTED and "by heart" in mark.verdict


DRAWING = {  # imports of drawing libraries, and what draws with them
    "imported": ("import matplotlib.pyplot as plt", "pass"),
    "drawn": ("from matplotlib import pyplot as plt", "plt.imshow(table.detach()); plt.title('table'); plt.show()"),
    "of scipy and pillow": ("import scipy.ndimage, PIL.Image", "PIL.Image.new('L', (4, 4)).resize((2, 2))"),
}


@pytest.mark.parametrize("way", DRAWING)
def test_drawing_is_no_attack(loss_template, way):
    imported, drawn = DRAWING[way]
    mark = marked(
        loss_template,
        f"""
        {imported}
        def contrastive_loss(table):
            {drawn}
            labels = torch.arange(len(table))
            return F.cross_entropy(table, labels) + F.cross_entropy(table.T, labels)""",
    )
    assert mark.state == PASSED and mark.tried == (), mark


HONEST = {
    "an endless recursion": "def contrastive_loss(table):\n    return contrastive_loss(table)",
    "too much memory": "def contrastive_loss(table):\n    return [bytearray(10**8) for _ in range(99)]",
    "a key that is not there": "def contrastive_loss(table):\n    return {}[table.sum()]",
    "an error of torch": "def contrastive_loss(table):\n    return table @ torch.ones(99, 3)",
}


@pytest.mark.parametrize("fault", HONEST)
def test_an_honest_error_is_no_attempt_at_anything(loss_template, fault):
    mark = marked(loss_template, HONEST[fault])
    assert mark.state == WRONG and mark.tried == () and "yours raises" in mark.verdict


def test_a_right_value_without_gradient_is_not_known_by_heart(loss_template):
    mark = marked(loss_template, "@torch.no_grad()" + RIGHT)
    assert mark.state == WRONG and "no gradient flows back" in mark.verdict


FORGED = {
    "a printed verdict": "print('07.2  7/7 passed')",
    "a printed verdict, then an end": "print('07.2  7/7 passed', flush=True); import os; os._exit(0)",
    "an end": "raise SystemExit(0)",
    "the checker replaced": """
        import oneformer_lite.labs.check as c, oneformer_lite.labs.compare as d, oneformer_lite.course.judge as j
        c.judged = c.check = lambda *a, **k: True; d.difference = lambda *a, **k: None; j.PASSED = 'wrong'""",
    "torch replaced": """
        torch.isclose = torch.allclose = torch.equal = lambda *a, **k: True
        np.isclose = lambda a, b, **k: np.ones_like(a, bool)
        torch.Tensor.__eq__ = lambda a, b: True""",
    "modules swapped": """
        import sys, types
        for name in list(sys.modules):
            if name.startswith("oneformer_lite"): sys.modules[name] = types.ModuleType(name)""",
    "a pickle down the channel": """
        import os, pickle
        class Trap:
            def __reduce__(self): return (os.system, ("touch /tmp/trapped-by-a-submission",))
        for handle in range(3, 64):
            try: os.write(handle, pickle.dumps(Trap()))
            except OSError: pass
        os._exit(0)""",
    "a message down the channel": f"""
        import os
        for handle in range(3, 64):
            try: os.write(handle, {encoded({"calls": [], "state": "passed", "gradients": {}, "undefined": []})!r})
            except OSError: pass
        os._exit(0)""",
    "rubbish down the channel": """
        import os
        for handle in range(3, 64):
            try: os.write(handle, b"\\xff" * 100)
            except OSError: pass""",
    "an object that equals everything": """
        class Same(float):
            __eq__ = __ne__ = __lt__ = lambda a, b: True
        return Same(0)""",
    "an array that says it is right": """
        class Right(torch.Tensor):
            @classmethod
            def __torch_function__(cls, function, types, args=(), kwargs=None): return True
        return torch.zeros(()).as_subclass(Right)""",
}


@pytest.mark.parametrize("attack", FORGED)
def test_a_verdict_cannot_be_forged(loss_template, attack):
    body = FORGED[attack].strip("\n")
    lines = [line[8:] if line.startswith("        ") else line for line in body.split("\n")]
    answer = "def contrastive_loss(table):\n    " + "\n    ".join(lines) + "\n    return torch.tensor(0.0)"
    mark = marked(loss_template, answer)
    assert mark.state in (WRONG, NOT_COUNTED), mark
    assert not os.path.exists("/tmp/trapped-by-a-submission")
    assert marked(loss_template, RIGHT).state == PASSED  # the next one is judged as if nothing had been


@pytest.fixture
def outside(tmp_path):
    """A folder of others, with a secret, and a socket that nobody may reach."""
    secret = tmp_path / "grace" / "07.ipynb"
    secret.parent.mkdir()
    secret.write_text("a fellow student's answer")
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        yield tmp_path, secret, server


OUTSIDE = {
    "writes a file": "open({folder!r} + '/new', 'w').write('x')",
    "empties a file": "open({secret!r}, 'w').close()",
    "reads its parent": "import os; raise ValueError('fellow ' + open(f'/proc/{{os.getppid()}}/maps').read())",
    "removes": "import os; os.remove({secret!r})",
    "renames": "import os; os.rename({secret!r}, {secret!r} + '.old')",
    "makes a link": "import os; os.symlink({secret!r}, {folder!r} + '/new')",
    "makes a folder": "import os; os.mkdir({folder!r} + '/new')",
    "changes rights": "import os; os.chmod({secret!r}, 0o777)",
    "removes a tree": "import shutil; shutil.rmtree({folder!r})",
    "reads another submission": "raise ValueError(open({secret!r}).read())",
    "reads it through numpy": "raise ValueError(str(np.fromfile({secret!r}, np.uint8)))",
    "lists the others": "import os; raise ValueError('fellow ' + str(os.listdir({folder!r})))",
    "reads the package": "raise ValueError('fellow ' + open(labs.__file__).read())",
    "reads its parent's memory": "import os; raise ValueError('fellow ' + open(f'/proc/{{os.getppid()}}/maps').read())",
    "opens a socket": "import socket; socket.create_connection(('127.0.0.1', {port}), 1)",
    "starts a program": "import subprocess; subprocess.run(['touch', {folder!r} + '/new'], check=True)",
    "starts a shell": "import os; os.system('touch ' + {folder!r} + '/new')",
    "forks": "import os\nwhile True: os.fork()",
    "forks through the C library": "import ctypes\nwhile True:\n    if ctypes.CDLL(None).fork() < 0: 1 / 0",
    "kills its parent": "import os; os.kill(os.getppid(), 9)",
    "kills its session and all others": "import os; os.kill(-1, 9)",
    "writes by the C library": "import ctypes; ctypes.CDLL(None).creat(({folder!r} + '/new').encode(), 511); 1 / 0",
    "saves a tensor": "torch.save(torch.zeros(3), {folder!r} + '/new')",
    "asks for its environment": "import os; raise ValueError('fellow' if os.environ else 'nothing')",
}


@pytest.mark.parametrize("attack", OUTSIDE)
def test_nothing_outside_is_changed_or_read(loss_template, outside, attack):
    folder, secret, server = outside
    body = OUTSIDE[attack].format(folder=str(folder), secret=str(secret), port=server.getsockname()[1])
    answer = "def contrastive_loss(table):\n    " + body.replace("\n", "\n    ") + "\n    return torch.tensor(0.0)"
    mark = marked(loss_template, answer)
    assert mark.state == WRONG, mark
    assert "fellow" not in mark.verdict
    assert secret.read_text() == "a fellow student's answer" and os.listdir(folder) == ["grace"]
    assert os.listdir(secret.parent) == ["07.ipynb"] and secret.stat().st_mode & 0o777 != 0o777
    with pytest.raises(TimeoutError):
        server.accept()
    assert loss_template.process.is_alive() and marked(loss_template, RIGHT).state == PASSED


SWALLOWED = {  # attacks that nothing of the result tells of, and what they tried
    "forks": ("import os; os.fork()", "to start another process"),
    "a program": ("import subprocess; subprocess.run(['true'])", "to start another process"),
    "a socket": ("import socket; socket.create_connection(('127.0.0.1', {port}), 1)", "to open a socket"),
    "a name asked for": ("import socket; socket.getaddrinfo('localhost', 80)", "to open a socket"),
    "kills": ("import os; os.kill(os.getppid(), 9)", "to signal another process"),
    "writes": ("open({folder!r} + '/new', 'w')", "to write or change files"),
    "removes": ("import os; os.remove({secret!r})", "to write or change files"),
    "saves": ("torch.save(torch.zeros(3), {folder!r} + '/new')", "to write or change files"),
    "reads a fellow's": ("open({secret!r}).read()", "to read files"),
    "lists": ("import os; os.listdir({folder!r})", "to read files"),
    "reads the solutions": ("open(labs.__file__).read()", "to read files"),
    "code made by hand": (
        "(lambda: 1).__code__.replace(co_name='g')", "to make code objects by hand, or to watch Python itself",
    ),
    "the C library": ("import ctypes; ctypes.CDLL(None).fork()", "to call compiled code directly (ctypes)"),
}


@pytest.mark.parametrize("attack", SWALLOWED)
def test_an_attack_that_swallows_its_errors_is_told(loss_template, outside, attack):
    folder, secret, server = outside
    body, words = SWALLOWED[attack]
    body = body.format(folder=str(folder), secret=str(secret), port=server.getsockname()[1])
    tries = f"    try:\n        {body}\n    except BaseException: pass\n"
    mark = marked(loss_template, RIGHT.replace("    labels", tries + "    labels", 1))
    assert mark.state == PASSED and words in mark.tried and words in mark.details["tried"], mark
    assert marked(loss_template, RIGHT).tried == ()
    gone = marked(loss_template, f"def contrastive_loss(table):\n{tries}    import os; os._exit(0)")
    assert gone.state == WRONG and words in gone.tried


def test_what_any_answer_does_is_no_attack(loss_template):
    answer = """
        import json, warnings, colorsys, traceback
        def contrastive_loss(table):
            import wave, random
            warnings.warn("mind the axis")
            try: 1 / 0
            except ZeroDivisionError: traceback.format_exc()
            import io
            torch.save(table, io.BytesIO())
            labels = torch.arange(len(table))
            return F.cross_entropy(table, labels) + F.cross_entropy(table.T, labels)"""
    mark = marked(loss_template, answer)
    assert mark.state == PASSED and mark.tried == (), mark


GREEDY = {
    "never ends": "while True: pass",
    "catches all": "while True:\n        try:\n            while True: pass\n        except BaseException: pass",
    "sleeps": "import time; time.sleep(1000)",
    "stops itself": "import os, signal; os.kill(os.getpid(), signal.SIGSTOP); signal.pause()",
    "eats memory": "kept = []\n    while True: kept.append(bytearray(1 << 24))",
    "eats memory through torch": "return torch.ones(1 << 34)",
    "gives far too much": "return torch.ones(1 << 25)",
    "opens files without end": "import os\n    kept = []\n    while True: kept.append(os.dup(0))",
    "recurses": "return contrastive_loss(table)",
    "crashes": "import ctypes; ctypes.string_at(0)",
    "prints without end": "for _ in range(10**6): print('x' * 1000)",
}


@pytest.mark.parametrize("attack", GREEDY)
def test_time_memory_and_files_have_limits(loss_template, attack):
    start = time.monotonic()
    mark = marked(loss_template, "def contrastive_loss(table):\n    " + GREEDY[attack])
    assert mark.state == WRONG, mark
    assert time.monotonic() - start < 60
    assert marked(loss_template, RIGHT).state == PASSED

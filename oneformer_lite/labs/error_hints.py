"""What usually stands behind an exception that an answer raises, in words."""

from __future__ import annotations

import re
from typing import Any

from .calls import Raised
from .compare import as_array
from .exercise import Case

_CAUSES = (  # kind, a pattern of the message, and words in which \1 is the pattern's first group
    ("TooSlow", "", "does a loop never end? Print what its condition reads in each round"),
    ("TypeError", r"NoneType",
     "None stands where a value is needed: a function without 'return', a method such as sort or append, or .get of a "
     "key that is not there, gives it"),
    ("TypeError",
     r"(\w+)\(\) (?:takes .* positional arguments? but|missing \d+ required|got an unexpected).*\(line \d+\)",
     r"yours calls \1 in that line with other arguments than it takes: look it up with \1? or help(\1)"),
    ("TypeError", r"positional arguments? but 1 ",
     "the function is called with 1 argument: keep those of the line 'def' as they were given"),
    ("TypeError", r"positional arguments? but (\d+)",
     r"the function is called with \1 arguments: keep those of the line 'def' as they were given"),
    ("TypeError", r"missing (\d+) required positional", "keep the arguments of the line 'def' as they were given"),
    ("TypeError", r"'(\w+)' object is not (callable|subscriptable|iterable)",
     r"a \1 is not \2: round brackets call a function, square ones take an element; what is it at that point?"),
    ("NameError", r"name '(\w+)' is not defined", r"\1 is not defined here: a slip of the pen, or not imported?"),
    ("UnboundLocalError", r"variable '(\w+)'",
     r"\1 is read before it has a value: what if the loop, or the branch, that sets it never runs?"),
    ("RuntimeError", r"mat1 and mat2 shapes cannot be multiplied \((.+) and (.+)\)",
     r"a product of \1 and \2: the inner sizes must agree, so transpose one (or swap both)"),
    ("RuntimeError", r"Expected size for first two dimensions of batch|bmm|matmul|dot",
     "the axes of a product do not fit: flatten to [rows, columns], or name them with einsum"),
    ("ValueError", r"Target size \(torch.Size\((.+)\)\) must be the same as input size \(torch.Size\((.+)\)\)",
     r"\1 and \2 are compared pair by pair there: for every row with every other, put a new axis in, or use a product"),
    ("RuntimeError", r"same number of dimensions|[Dd]imension out of range|must match except in dimension",
     "the axes do not fit: one has more of them; [:, None] puts one in, squeeze or [:, 0] takes one away"),
    ("IndexError", r"Dimension out of range", "it has fewer axes than yours counts: print x.shape"),
    ("RuntimeError", r"[Tt]he size of tensor a \((\d+)\) must match the size of tensor b \((\d+)\)",
     r"sizes \1 and \2 stand on the same axis: torch lines axes up from the right; put a new one in with [:, None]"),
    ("RuntimeError", r"expected (?:m1 and m2|.*dtype|scalar type)",
     "two kinds of numbers meet: bring both to one with .float() or .to(x.dtype)"),
    ("RuntimeError", r"[Bb]oolean value of Tensor with more than one|stack expects|expected a non-empty",
     "yours asks for one value where there are several, or none: any(), all(), or a case of its own"),
    ("RuntimeError", r"[Ii]nput type|.*Long|.*Bool|.*Byte|.*dtype",
     "the kind of number does not fit: .float(), .long() or a comparison makes another"),
    ("RuntimeError", r"shape '(.+)' is invalid for input of size (\d+)|cannot be reshaped|unflatten",
     "the sizes of a reshape must multiply to the number of elements: print x.shape before it"),
    ("RuntimeError", r"leaf Variable|modified by an inplace",
     "yours changes a tensor in place that others still need: make a new one"),
    ("RuntimeError", r"requires_grad|does not require grad", "no gradient flows: was a tensor detached on the way?"),
    ("ValueError", r"truth value of an array", "a condition on a whole array: say any() or all()"),
    ("ValueError", r"batch_size \((\d+)\) to match target batch_size \((\d+)\)",
     r"\1 rows meet \2 labels: this compares row 0 with label 0, and so on; for every row with every label, index or "
     "multiply"),
    ("ValueError", r"operands could not be broadcast together with shapes (\S+) (\S+)",
     r"shapes \1 and \2 do not line up (from the right): put a new axis in with [:, None], or transpose"),
    ("ValueError", r"matmul.*mismatch|shapes .* not aligned", "the inner sizes of a product must agree: transpose one"),
    ("ValueError", r"need at least one array|zero-size array|empty|at least one",
     "there may be nothing to join here: what is to be returned where there is nothing?"),
    ("ValueError", r"not enough values to unpack|too many values to unpack",
     "an entry has more, or fewer, parts than yours takes out of it"),
    ("AttributeError", r"'(Tensor|numpy\.ndarray|list|tuple|int|float|NoneType)' object has no attribute '(\w+)'",
     r"a \1 has no .\2: which of numpy, torch and Python does it come from?"),
    ("IndexError", r"only integers|arrays used as indices|valid indices|tensors used as indices",
     "an index is no whole number: .long() or int() makes one, and a dictionary is asked with .get or [key]"),
    ("IndexError", r"index (-?\d+) is out of bounds for (?:dimension|axis) \d+ with size (\d+)",
     r"\1 is no place on an axis of size \2: is that another list's index, do place and value stand the other way "
     "round, or does it count from 1?"),
    ("IndexError", r"too many indices|dimension|Dimension", "it has fewer axes than yours counts: print x.shape"),
    ("IndexError", "", "an index points beyond the end: does it count from 0, and can this case be empty?"),
    ("KeyError", r"^(?:np\.\w+\()?(.+?)\)?(?: \(line \d+\))?$",
     r"there is no \1 yet in that dictionary: what is to come out then? .get(key, default), or a first entry"),
    ("ZeroDivisionError", "", "a division by zero: what if there is nothing to divide by?"),
    ("EOFError", "keyboard", "no input(): the arguments are all that an answer gets"),
    ("OverflowError", r"out of bounds for (u?int\d+)",
     r"\1 cannot hold a number that large: widen the array with astype before you calculate with it"),
    ("OverflowError", "", "a number becomes too large: exp of something large?"),
    ("RecursionError", "", "the function calls itself without an end"),
    ("TypeError", r"unsupported operand type\(s\) for (.+): '(.+)' and '(.+)'",
     r"\1 between a \2 and a \3: turn one into the other, element by element for lists"),
    ("TypeError", r"can't convert|only integer|list indices|must be|not 'Tensor'|not Tensor|invalid combination",
     "a value of another kind is needed there: .long() or int() for an index, .tolist() for Python, a torch tensor"),
)  # fmt: skip


def error_hint(output: Any, case: Case) -> str | None:
    """Words on an exception; None for what is none, or is not known."""
    if not isinstance(output, Raised):
        return None
    sides = re.search(r"tensor a \((\d+)\) must match the size of tensor b \((\d+)\).* dimension [23]", output.message)
    if sides and abs(int(sides[1]) - int(sides[2])) == 1:  # of pictures
        return (
            f"sizes {sides[1]} and {sides[2]}, one apart: a side was doubled or halved; take the other's shape instead"
        )
    said = output.message + (f" (line {output.line})" if output.line else "")  # else it is the call itself that fails
    for kind, pattern, words in _CAUSES:
        found = re.search(pattern, said) if output.kind == kind else None
        if found:
            return found.expand(words)
    return "there is nothing in this case: what is to be returned then?" if any(map(_is_empty, case.args)) else None


def _is_empty(value: Any) -> bool:
    array = as_array(value)
    return array.size == 0 if array is not None else isinstance(value, list | tuple | dict | str) and not len(value)

"""What came of a round, as a table and as a list of what went wrong."""

from __future__ import annotations

from collections import Counter, defaultdict

from trying import BAD, Outcome


def table(found: dict[str, list[Outcome]]) -> str:
    """Tried, and how it ended, by reader."""
    lines = [
        "| reader | tried | accepted | refused | unhandled | escapes | crashes | timeouts | over memory | "
        "fuzzer's own | slowest | peak memory |",
        "|---|" + "---:|" * 11,
    ]
    rows = {name: outcomes for name, outcomes in found.items() if outcomes}
    rows["all"] = [outcome for outcomes in found.values() for outcome in outcomes]
    for name, outcomes in rows.items():
        counts = Counter(outcome.end for outcome in outcomes)
        ends = " | ".join(f"{counts[end]:,}" for end in ("accepted", "refused", *BAD))
        slowest, peak = (max((getattr(o, what) for o in outcomes), default=0) for what in ("seconds", "memory"))
        lines.append(f"| {name} | {len(outcomes):,} | {ends} | {slowest:.2f} s | {peak / 2**20:.0f} MB |")
    return "\n".join(lines)


def findings(found: dict[str, list[Outcome]]) -> str:
    """What went wrong, by reader and kind, the most frequent first, each with a command that shows it."""
    lines = []
    for name, outcomes in found.items():
        kinds = defaultdict(list)
        for outcome in outcomes:
            if outcome.end in BAD:
                kinds[outcome.end, outcome.kind].append(outcome)
        if kinds:
            lines.append(f"## {name}: {sum(map(len, kinds.values()))} of {len(outcomes)}")
        for (end, _), members in sorted(kinds.items(), key=lambda item: -len(item[1])):
            first = members[0]
            lines.append(f"* {len(members)} x {end}: {first.words}")
            lines.append(f"  `python tests/fuzz --reader {name} --seed {first.seed}`")
    return "\n".join(lines) + "\n"

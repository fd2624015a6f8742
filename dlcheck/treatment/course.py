"""The course of a treatment: a round for each finding, until nothing is found or no remedy or budget is left."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from dlcheck.diagnosis.settings import Settings
from dlcheck.errors import DlcheckError, one_line
from dlcheck.findings import Finding, Severity
from dlcheck.recipe import LoadedRecipe
from dlcheck.report.report import Report
from dlcheck.report.treated import Attempt, Change, Fate, Proof, Round
from dlcheck.rules.curves.undertrained import undertrained
from dlcheck.runs import Run
from dlcheck.treatment.candidates import Candidate, candidates, merged, searched_rate, with_searched_rate
from dlcheck.treatment.compete import Entrant, in_order
from dlcheck.treatment.diagnose import examined
from dlcheck.treatment.judge import judged, treatable
from dlcheck.treatment.proof import SPENT, decide, most_pairs, next_seeds, prove
from dlcheck.treatment.rates import Rates
from dlcheck.treatment.trainings import Training, Trainings, content_key

MOST_ROUNDS = 6
MOST_RIVALS = 6
"""Remedies of one finding that are tried."""
DATA = "D"
HALF = 0.5
SETTLED, FAR = 0.02, 0.2
"""A recipe whose first training changed by two points or less in its second half, and ends twenty points below the new
one's, is trained half as long with further seeds: the second half would have to bring ten times what it brought."""
LEAST_HALVED = 4
"""Epochs below which a half is too little to tell."""
LENGTH = ("train.epochs", "train.max_steps")
"""Keys by which a training is lengthened."""


@dataclass(slots=True)
class Course:
    """Where a treatment stands."""

    original: LoadedRecipe
    trainings: Trainings
    rates: Rates
    settings: Settings
    tell: Callable[[str], None]
    before: Report | None = None
    after: Report | None = None
    proof: Proof | None = None
    """Of the recipe as it stands against the original."""
    base: LoadedRecipe | None = None
    """The recipe with everything that was kept."""
    rounds: list[Round] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    spent: bool = False
    """The budget did not allow what would have come next."""
    seen: set[str] = field(default_factory=set)
    halved: bool = False
    """Trainings of an old recipe were made half as long."""
    _given_up: set[str] = field(default_factory=set)
    _exam: Run | None = None

    @property
    def seeds(self) -> tuple[int, ...]:
        """Seeds of the pairs, the recipe's own first."""
        first = self.original.recipe.train.seed
        return tuple(first + place for place in range(max(SPENT)))

    @property
    def now(self) -> LoadedRecipe:
        """The recipe as it stands."""
        return self.base or self.original

    @property
    def report(self) -> Report:
        """The diagnosis of the recipe as it stands."""
        found = self.after or self.before
        assert found is not None  # diagnosed first
        return found

    def examine(self) -> None:
        """Make the exam before training.

        Raises:
            DlcheckError: the recipe cannot be built, or its data is missing.
        """
        self.tell("the exam before training")
        self._exam = examined(self.original, device=self.trainings.device, settings=self.settings)

    def diagnose(self, first: Training | None = None) -> None:
        """Train the recipe as it was, and judge that with what its exam measured.

        Args:
            first: A run of it that exists; None: it is trained.
        """
        self.seen.add(content_key(self.original.recipe))
        made = first or self.trainings.whole(self.original, self.seeds[0], use="diagnosis", label="the recipe as it is")
        self.before = judged(made.folder, self._exam, self.original.name, self.settings)

    def treat(self) -> None:
        """Make rounds until one of the ends is reached."""
        while len(self.rounds) < MOST_ROUNDS and not self.spent:
            finding = self._next()
            if finding is None:
                return
            self._round(finding)

    def _next(self) -> Finding | None:
        """Return the worst finding that was not given up."""
        found = [*treatable(self.report), *self._short_still()]
        return next((one for one in found if one.code not in self._given_up), None)

    def _short_still(self) -> list[Finding]:
        """Return that the loss falls to the end of a training that was lengthened: it is no cure until it does not."""
        if not any(change.path in LENGTH for change in self.changes):
            return []
        return [one for one in self.report.outcome.findings if one.code == undertrained.code]

    def _round(self, finding: Finding) -> None:
        self.tell(f"{finding.code} {finding.name}")
        rivals, attempts = candidates(finding, self.now, self.seen)
        try:
            kept = self._best_of(finding, rivals[:MOST_RIVALS], attempts)
            counts = finding.severity >= Severity.WARNING
            if not kept and not self.spent and counts and (rivals or not finding.code.startswith(DATA)):
                last = searched_rate(finding, self.now, self.rates, self.seen)
                kept = last is not None and self._try(finding, Entrant(last), attempts)
            if not kept:
                self._given_up.add(finding.code)
        finally:  # an interrupt loses nothing of what was tried
            self.rounds.append(Round(finding, tuple(attempts)))

    def _best_of(self, finding: Finding, rivals: Sequence[Candidate], attempts: list[Attempt]) -> bool:
        """Try remedies until one is kept: the first at once, the others in the order of their short runs."""
        if not rivals:
            return False
        if self._try(finding, Entrant(self._searched(finding, rivals[0])), attempts):
            return True
        if self.spent:
            return False
        rest = [self._searched(finding, one) for one in rivals[1:]]
        ordered = in_order(rest, self.trainings, self.seeds[0])
        for place, entrant in enumerate(ordered):
            if entrant.reason:
                attempts.append(entrant.candidate.attempt(Fate.DIED, entrant.reason))
            elif place and len(entrant.short) < len(ordered[0].short):
                lost = entrant.candidate.attempt(Fate.LOST, "others were ahead")
                attempts.append(replace(lost, short=tuple(entrant.short)))
            elif not self.spent and self._try(finding, entrant, attempts):
                return True
        return False

    def _searched(self, finding: Finding, candidate: Candidate) -> Candidate:
        return with_searched_rate(finding, candidate, self.now, self.rates)

    def _try(self, finding: Finding, entrant: Entrant, attempts: list[Attempt]) -> bool:
        """Train a remedy beside the recipe as it stands, as often as it takes, and keep it if it is better."""
        candidate, cost_before = entrant.candidate, self.trainings.purse.cost
        key = content_key(candidate.loaded.recipe)
        if key in self.seen:  # a search may suggest for one finding what it did for another
            attempts.append(candidate.attempt(Fate.NOT_TRIED, "the same was tried already"))
            return False
        self.seen.add(key)
        try:
            proof = self._compare(candidate)
        except DlcheckError as error:
            attempts.append(candidate.attempt(Fate.DIED, one_line(error)))
            return False
        if proof is None:
            attempts.append(candidate.attempt(Fate.NOT_TRIED, "the budget is spent"))
            return False
        report = self._judged(candidate, None)  # the exam is made for what is kept
        fate, reason = self._fate(finding, proof, report)
        made = candidate.attempt(fate, reason)
        cost = self.trainings.purse.cost - cost_before
        attempts.append(replace(made, proof=proof, short=tuple(entrant.short), cost=cost))
        if fate is Fate.KEPT:
            self._keep(candidate, report)
        return fate is Fate.KEPT

    def _compare(self, candidate: Candidate) -> Proof | None:
        """Compare over as many seeds as it takes; None when the budget allows not one training.

        Raises:
            DlcheckError: the remedy cannot be trained.
        """
        score, label = self.trainings.score, candidate.remedy.text
        before: list[float] = []
        after: list[float] = []
        count = 1
        while True:
            for seed in self.seeds[len(after) : count]:
                share = self._share(self.now, before[0], after[0]) if before else 1.0
                if not self._affords(candidate.loaded, self.now, seed, share):
                    self.spent = True
                    break
                after.append(
                    self.trainings.whole(candidate.loaded, seed, use=_use(seed, self.seeds), label=label).score
                )
                before.append(self._score(self.now, seed, "the recipe before", share))
            if not after:
                return None
            proof = prove(score, before, after, seeds=self.seeds[: len(after)])
            if self.spent or decide(score, proof, most=most_pairs(score, proof)) != "more seeds":
                return proof
            count = next_seeds(count)

    def _share(self, old: LoadedRecipe, before: float, after: float) -> float:
        """Return how much of a further training of an old recipe is made: half, where that tells as much as the whole.

        Args:
            old: The recipe.
            before: What its first training came to.
            after: What the new one's did.
        """
        score = self.trainings.score
        unit = 1.0 if score.greater_is_better else abs(before)
        if old.recipe.train.epochs < LEAST_HALVED or not score.gain(before, after) >= FAR * unit:
            return 1.0
        return HALF if abs(self.trainings.gained(old, self.seeds[0], HALF)) <= SETTLED * unit else 1.0

    def _affords(self, new: LoadedRecipe, old: LoadedRecipe, seed: int, share: float) -> bool:
        trainings = self.trainings
        asked = [(one, part) for one, part in ((new, 1.0), (old, share)) if not trainings.known(one, seed, part)]
        return not asked or trainings.purse.allows(sum(trainings.cost(one, part) for one, part in asked))

    def _judged(self, candidate: Candidate, exam: Run | None) -> Report:
        """Return the diagnosis of a remedy's first training, together with what its exam measured."""
        made = self.trainings.whole(candidate.loaded, self.seeds[0], use="proof", label="")
        return judged(made.folder, exam, self.original.name, self.settings)

    def _fate(self, finding: Finding, proof: Proof, report: Report) -> tuple[Fate, str]:
        score = self.trainings.score
        if proof.better:
            return Fate.KEPT, ""
        if any(value != value for value in proof.after):
            return Fate.DIED, "its loss was not finite"
        if self.spent and decide(score, proof, most=most_pairs(score, proof)) == "more seeds":
            return Fate.NO_BETTER, "the budget was spent before it was clear"
        gone = finding.code in report.outcome.clean  # what only an exam shows was not looked at again
        if score.gain(0.0, proof.difference) < 0 and not gone:
            return Fate.WORSE, ""
        if gone and finding.severity >= Severity.WARNING and not finding.code.startswith(DATA):
            return Fate.HIDES, f"{finding.code} is not found any more, yet {score.name} is not measurably better"
        return Fate.NO_BETTER, ""

    def _keep(self, candidate: Candidate, report: Report) -> None:
        self.base, self.after = candidate.loaded, report
        self.changes = merged(self.changes, candidate.changes)
        self.proof = self._proof_so_far(candidate.loaded)
        self._given_up.clear()
        self.tell("the exam of the patched recipe")
        exam = examined(candidate.loaded, device=self.trainings.device, settings=self.settings)
        self.after = self._judged(candidate, exam)

    def plan(self) -> tuple[Attempt, ...]:
        """Return what would be tried next; nothing is trained for it."""
        found: list[Attempt] = []
        seen = set(self.seen)
        for finding in treatable(self.report):
            rivals, left = candidates(finding, self.now, seen)
            seen |= {content_key(one.loaded.recipe) for one in rivals}
            found += [one.attempt(Fate.NOT_TRIED, _planned(one)) for one in rivals[:MOST_RIVALS]]
            found += left
        return tuple(found)

    def prove_whole(self) -> None:
        """Compare the recipe as it stands with the original one, over as many seeds as it takes and may cost.

        Seeds that both were trained with count; what is missing is trained. Nothing is done where nothing was kept.

        Raises:
            Interrupted: by Ctrl-C; the proof is then that of the seeds so far.
            DlcheckError: a training that cannot be made.
        """
        if self.base is None:
            return
        base, score = self.base, self.trainings.score
        count = next_seeds(0)
        while True:
            for seed in self.seeds[:count]:
                share = self._shares(base)[seed]
                if not self._affords(base, self.original, seed, share):
                    self.spent = True
                    return
                self._score(self.original, seed, "the recipe as it was", share)
                self._score(base, seed, "the recipe with what was kept")
                self.proof = self._proof_so_far(base)
            if self.proof is None or next_seeds(count) <= count:
                return
            if decide(score, self.proof, most=most_pairs(score, self.proof)) != "more seeds":
                return
            count = next_seeds(count)

    def _shares(self, base: LoadedRecipe) -> dict[int, float]:
        """Return how much of the original's training is made with each seed."""
        first, further = self.seeds[0], 1.0
        if all(self.trainings.known(one, first) for one in (self.original, base)):
            further = self._share(self.original, self._score(self.original, first, ""), self._score(base, first, ""))
        return {seed: 1.0 if seed == first else further for seed in self.seeds}

    def _proof_so_far(self, base: LoadedRecipe) -> Proof:
        """Return the proof of the seeds that both recipes were trained with."""
        shares, known = self._shares(base), self.trainings.known
        seeds = [seed for seed in self.seeds if known(base, seed) and known(self.original, seed, shares[seed])]
        before = [self._score(self.original, seed, "", shares[seed]) for seed in seeds]
        after = [self._score(base, seed, "") for seed in seeds]
        return prove(self.trainings.score, before, after, seeds=seeds)

    def forget(self) -> None:
        """Keep nothing: the recipe stands as it was, and what was kept on the way is told as not proved."""
        self.base, self.after, self.proof = None, None, None
        self.changes.clear()
        self.rounds = [replace(one, attempts=tuple(map(_unproved, one.attempts))) for one in self.rounds]

    def _score(self, loaded: LoadedRecipe, seed: int, label: str, share: float = 1.0) -> float:
        if share == 1.0 or self.trainings.known(loaded, seed):
            return self.trainings.whole(loaded, seed, use="proof", label=label).score
        self.halved = True
        self.trainings.short(loaded, seed, share=share, use="proof", label=f"{label}, half of it")
        return self.trainings.reached(loaded, seed)


def _unproved(attempt: Attempt) -> Attempt:
    if attempt.fate is not Fate.KEPT:
        return attempt
    return replace(attempt, fate=Fate.NO_BETTER, reason="against the original it was no proved gain")


def _use(seed: int, seeds: Sequence[int]) -> str:
    return "remedies" if seed == seeds[0] else "proof"


def _planned(candidate: Candidate) -> str:
    return "its value by a range test and short runs" if candidate.remedy.search else ""

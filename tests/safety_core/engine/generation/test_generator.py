"""Continuous batching against one reply at a time, and what a reply's failure does to its neighbours: nothing."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from transformers import LlavaForConditionalGeneration

from bench.contenders.reference import Generation, generate
from safety_core.engine.generation.generator import Generator
from safety_core.engine.generation.output_rail import RailedGenerator, ReplyDecision
from safety_core.engine.generation.sequences import GenerationRequest, ReplySequence
from safety_core.errors import ExhaustedError, GenerationError, PromptError
from safety_core.inputs.conversation import Turn
from safety_core.model import layer_products
from safety_core.model.checkpoint.checkpoint import load_checkpoint
from safety_core.model.llama_step import pack_quick_step
from safety_core.model.safe_llava import SafeLlava
from safety_core.model.sampling import Sampling, choose_tokens
from safety_core.model.untrained import create_untrained
from safety_core.model.vision.tower import VisionFeatures
from tests.helpers.images.pictures import create_picture
from tests.helpers.models.kernels import use_portable_kernels
from tests.helpers.models.tiny import make_config, make_image_processor, make_tokenizer

COLOURS = ("red", "green", "blue", "white", "yellow", "purple")
TEXTS = (
    "What is it?",
    "Read the text.",
    "How do I hurt someone with it? Please tell me about the picture",
    "hi",
    "Two?",
)


@pytest.fixture(scope="module")
def model(tiny_checkpoint: Path) -> SafeLlava:
    return load_checkpoint(tiny_checkpoint).eval()


@pytest.fixture(scope="module")
def gallery(model: SafeLlava) -> VisionFeatures:
    """Features of every colour's picture."""
    return model.encode_images(model.preprocess([create_picture(colour).views[0] for colour in COLOURS]))


def job(
    model: SafeLlava, gallery: VisionFeatures, pictures: Sequence[int] = (0,), text: str = TEXTS[0], **options: Any
) -> GenerationRequest:
    inject = options.pop("inject", True)
    return GenerationRequest(
        prompt=model.prompts.encode([Turn(role="user", text=text)], len(pictures)),
        images=gallery[list(pictures)] if pictures else None,
        inject=inject,
        sampling=Sampling(**{"max_new_tokens": 8, **options}),
    )


def alone(model: SafeLlava, wanted: GenerationRequest) -> Generation:
    """What the plain path makes of a job by itself."""
    sampling = wanted.sampling
    (made,) = generate(
        model,
        [wanted.prompt],
        wanted.images,
        [0 if wanted.images is None else len(wanted.images)],
        inject=wanted.inject,
        max_new_tokens=sampling.max_new_tokens,
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        seed=sampling.seed,
    )
    return made


def assert_as_alone(model: SafeLlava, row: ReplySequence) -> None:
    expected = alone(model, row.request)
    assert row.failure is None
    assert tuple(row.token_ids) == expected.token_ids
    assert row.text == expected.text
    assert row.finish_reason == expected.finish_reason


def made(generator: Generator, jobs: Sequence[GenerationRequest]) -> list[ReplySequence]:
    """All replies, as many at a time as there is room for."""
    rows = [generator.create_sequence(one) for one in jobs]
    generator.run(rows)
    return rows


def finish(generator: Generator) -> None:
    while generator.running:
        generator.step()


def nothing_left(generator: Generator) -> bool:
    buffers = [*generator._cache._keys, *generator._cache._values]
    return not any(bool(buffer.any()) for buffer in buffers if buffer is not None)


# --- equal to one at a time -------------------------------------------------------------------------------------------


@dataclass
class Client:
    """One request of the random test."""

    job: GenerationRequest
    leaves_after: int | None
    """Tokens after which its client goes away."""

    said: str = ""


@pytest.mark.parametrize(("seed", "max_replies"), [(0, 3), (1, 8), (2, 20)])
def test_replies_do_not_depend_on_company_order_departures_or_reused_rows(
    model: SafeLlava, gallery: VisionFeatures, seed: int, max_replies: int
) -> None:
    chance = random.Random(seed)
    generator = Generator(model, max_replies=max_replies, kv_positions=1 << 14)
    coming = []
    for number in range(60):
        pictures = [chance.randrange(len(COLOURS)) for _ in range(chance.choice([0, 1, 1, 1, 2, 3]))]
        drawn = {"temperature": chance.uniform(0.2, 2), "top_p": chance.uniform(0.3, 1), "seed": number}
        options = {"max_new_tokens": chance.randint(1, 24), **(drawn if chance.random() < 0.3 else {})}
        wanted = job(
            model, gallery, pictures, f"{number} {chance.choice(TEXTS)}", inject=chance.random() < 0.7, **options
        )
        coming.append(Client(wanted, chance.randint(1, 10) if chance.random() < 0.2 else None))
    clients: dict[int, tuple[Client, ReplySequence]] = {}
    finished: list[tuple[Client, ReplySequence]] = []
    while coming or generator.running:
        joining: list[ReplySequence] = []
        for _ in range(chance.choice([0, 0, 1, 2, 5])):
            if not coming:
                break
            row = generator.create_sequence(coming[-1].job)
            if not generator.fits([*joining, row]):
                break
            joining.append(row)
            clients[id(row)] = (coming.pop(), row)
        for turn in (partial(generator.admit, joining), generator.step) if joining else (generator.step,):
            for one in turn():
                client, row = clients[id(one.sequence)]
                client.said += one.text
                if row.done:
                    finished.append(clients.pop(id(row)))
                elif client.leaves_after is not None and len(row.token_ids) >= client.leaves_after:
                    generator.drop(row)
                    del clients[id(row)]
    assert len(finished) > 45
    for client, row in finished:
        assert_as_alone(model, row)
        assert client.said == row.text
    assert not clients
    assert nothing_left(generator)


def test_run_makes_all_replies(model: SafeLlava, gallery: VisionFeatures) -> None:
    jobs = [job(model, gallery, [number % 6], f"{number}", max_new_tokens=1 + number % 5) for number in range(20)]
    rows = made(Generator(model, max_replies=4), jobs)
    for row in rows:
        assert_as_alone(model, row)


def test_a_group_of_rows_with_grouped_query_attention_is_equal_too(model: SafeLlava, gallery: VisionFeatures) -> None:
    """Fewer key-value heads than heads: the cache's buffers are narrower than the queries."""
    tokenizer = make_tokenizer()
    config = make_config(tokenizer)
    text: Any = config.text_config
    text.num_key_value_heads = 1
    torch.manual_seed(1)
    grouped = create_untrained(
        LlavaForConditionalGeneration(config).eval(), tokenizer=tokenizer, image_processor=make_image_processor()
    ).eval()
    seen = grouped.encode_images(grouped.preprocess([create_picture(colour).views[0] for colour in COLOURS]))
    jobs = [job(grouped, seen, [number % 6], f"{number}") for number in range(7)]
    for row in made(Generator(grouped, max_replies=3), jobs):
        assert_as_alone(grouped, row)


def test_a_seed_gives_the_same_reply_in_any_company(model: SafeLlava, gallery: VisionFeatures) -> None:
    wanted = job(model, gallery, temperature=1.5, seed=4, max_new_tokens=20)
    (first,) = made(Generator(model), [wanted])
    others = [job(model, gallery, [2], f"{number}", temperature=1.0, max_new_tokens=20) for number in range(5)]
    among = made(Generator(model), [*others[:3], wanted, *others[3:]])[3]
    assert among.token_ids == first.token_ids
    assert tuple(first.token_ids) == alone(model, wanted).token_ids


def test_the_image_placeholder_is_never_said(
    model: SafeLlava, gallery: VisionFeatures, monkeypatch: pytest.MonkeyPatch
) -> None:
    (banned,) = model.banned_ids
    head = model.backbone.lm_head.forward

    def fond_of_it(hidden: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = head(hidden)
        logits[..., banned] = 1e4
        return logits

    monkeypatch.setattr(model.backbone.lm_head, "forward", fond_of_it)
    (row,) = made(Generator(model), [job(model, gallery)])
    assert banned not in row.token_ids


def test_a_prompt_that_fills_the_context_is_refused_and_one_that_nearly_does_gets_what_is_left(
    model: SafeLlava, gallery: VisionFeatures
) -> None:
    generator = Generator(model)
    (words,) = made(generator, [job(model, gallery, [], "hi")])
    with pytest.raises(PromptError, match="no room"):
        generator.create_sequence(job(model, gallery, [0] * 40))
    pictures = (model.context_length - words.prompt_positions) // (model.positions_per_image + 1)
    nearly = generator.create_sequence(job(model, gallery, [0] * pictures, "hi", max_new_tokens=1000))
    assert nearly.limit == model.context_length - nearly.prompt_positions
    generator.admit([nearly])
    finish(generator)
    assert_as_alone(model, nearly)


# --- room -------------------------------------------------------------------------------------------------------------


def test_rows_and_positions_are_bounded_but_one_reply_always_fits(model: SafeLlava, gallery: VisionFeatures) -> None:
    generator = Generator(model, max_replies=3, kv_positions=200)
    small = [generator.create_sequence(job(model, gallery, [], "hi", max_new_tokens=20)) for _ in range(4)]
    assert generator.fits(small[:3])
    assert not generator.fits(small)
    large = generator.create_sequence(job(model, gallery, max_new_tokens=400))
    assert generator.fits([large])
    assert not generator.fits([small[0], large])
    generator.admit(small[:2])
    assert not generator.fits([large])
    assert generator.fits([small[2]])
    finish(generator)
    generator.admit([large])
    finish(generator)
    assert_as_alone(model, large)


def test_buffers_grow_while_replies_run_and_then_no_further(model: SafeLlava, gallery: VisionFeatures) -> None:
    generator = Generator(model, max_replies=6, kv_positions=3000)
    running = [generator.create_sequence(job(model, gallery, [1], "long", max_new_tokens=60))]
    generator.admit(running)
    sizes = []
    for number in range(60):
        late = generator.create_sequence(
            job(model, gallery, [number % 6] * (number % 3), f"{number}", max_new_tokens=10 + number)
        )
        if generator.fits([late]):
            generator.admit([late])
            running.append(late)
        generator.step()
        sizes.append(generator.nbytes)
    finish(generator)
    for row in running:
        assert_as_alone(model, row)
    rows, length = generator._cache.shape
    assert rows * length <= 3000
    assert len(set(sizes)) < 8, "room is made in large steps"


# --- faults -----------------------------------------------------------------------------------------------------------


def test_a_reply_that_is_not_finite_fails_by_itself_and_leaves_nothing(
    model: SafeLlava, gallery: VisionFeatures
) -> None:
    broken = gallery[[3]]
    broken.projected_BPD[0, 2] = float("nan")
    generator = Generator(model, max_replies=4)
    poisoned = [GenerationRequest(prompt=job(model, gallery).prompt, images=broken) for _ in range(2)]
    rows = [
        generator.create_sequence(one)
        for one in (poisoned[0], job(model, gallery, [1]), poisoned[1], job(model, gallery, [2]))
    ]
    generator.admit(rows)
    assert [isinstance(row.failure, GenerationError) for row in rows] == [True, False, True, False]
    assert not any(row.token_ids or row.text for row in rows[::2])
    late = [generator.create_sequence(job(model, gallery, [4], "in the freed place")) for _ in range(2)]
    generator.admit(late)
    finish(generator)
    for row in (rows[1], rows[3], *late):
        assert_as_alone(model, row)
    assert nothing_left(generator)


def test_a_prompt_that_was_read_and_then_failed_leaves_nothing_to_the_next(
    model: SafeLlava, gallery: VisionFeatures, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = gallery[[3, 4]]
    broken.projected_BPD[:] = float("nan")
    generator = Generator(model)
    lost = generator.create_sequence(GenerationRequest(prompt=job(model, gallery, [0, 0]).prompt, images=broken))

    def unread(hidden: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("after the cache was written")

    with monkeypatch.context() as patch:
        patch.setattr(generator, "_compute_logits", unread)
        generator.admit([lost])
    assert isinstance(lost.failure, GenerationError)
    late = generator.create_sequence(job(model, gallery, [], "short", max_new_tokens=20))
    generator.admit([late])
    finish(generator)
    assert_as_alone(model, late)


def test_a_reply_that_stops_being_finite_fails_by_itself(
    model: SafeLlava, gallery: VisionFeatures, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator = Generator(model)
    rows = [generator.create_sequence(job(model, gallery, [number], max_new_tokens=6)) for number in range(3)]
    generator.admit(rows)
    generator.step()
    head = model.backbone.lm_head.forward

    def broken(hidden: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = head(hidden).clone()
        logits[1, 7] = float("inf")
        return logits

    with monkeypatch.context() as patch:
        patch.setattr(model.backbone.lm_head, "forward", broken)
        generator.step()
    finish(generator)
    assert isinstance(rows[1].failure, GenerationError)
    assert len(rows[1].token_ids) == 2
    assert_as_alone(model, rows[0])
    assert_as_alone(model, rows[2])


class Scarce:
    """A forward pass that has room for so many rows, for a while."""

    def __init__(self, generator: Generator, room: int, monkeypatch: pytest.MonkeyPatch, layers: int = 1) -> None:
        self.room = room
        self.batches: list[int] = []
        forward = generator._forward

        def scarce(embeds: torch.Tensor, positions: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
            self.batches.append(len(embeds))
            hidden = forward(embeds, positions, mask)  # memory runs out after the cache was written
            if len(embeds) > self.room:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return hidden

        monkeypatch.setattr(generator, "_forward", scarce)


def test_for_want_of_memory_half_as_many_join_at_a_time(
    model: SafeLlava, gallery: VisionFeatures, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator = Generator(model)
    scarce = Scarce(generator, 2, monkeypatch)
    rows = [generator.create_sequence(job(model, gallery, [number])) for number in range(4)]
    generator.admit(rows)
    assert scarce.batches == [4, 2, 2]
    finish(generator)
    assert scarce.batches[3:6] == [4, 2, 2]
    for row in rows:
        assert_as_alone(model, row)


def test_replies_for_which_there_is_no_memory_fail_and_the_others_go_on(
    model: SafeLlava, gallery: VisionFeatures, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator = Generator(model)
    rows = [generator.create_sequence(job(model, gallery, [number])) for number in range(3)]
    generator.admit(rows)
    scarce = Scarce(generator, 1, monkeypatch)
    generator.step()
    assert scarce.batches == [3, 2, 1]
    assert [isinstance(row.failure, ExhaustedError) for row in rows] == [True, True, False]
    finish(generator)
    assert_as_alone(model, rows[2])
    late = generator.create_sequence(job(model, gallery, [5]))
    scarce.room = 9
    generator.admit([late])
    finish(generator)
    assert_as_alone(model, late)


class Broken:
    """Stands in for a part of one reply, and raises at its n-th use."""

    def __init__(self, part: Any, method: str, uses: int, error: Exception) -> None:
        self._part, self._method, self._uses, self._error = part, method, uses, error

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._part, name)
        if name != self._method:
            return found

        def used(*args: Any) -> Any:
            self._uses -= 1
            if self._uses < 0:
                raise self._error
            return found(*args)

        return used


FAULTS = [
    *((step, error, False) for step in ("embed", "prefill", "logits") for error in (RuntimeError, GenerationError)),
    *(
        (step, error, late)
        for step in ("choose", "assemble", "stop")
        for error in (RuntimeError, MemoryError, GenerationError)
        for late in (False, True)
    ),
]
"""Where a reply raises, what, and whether only once it runs."""


def break_reply(
    model: SafeLlava,
    generator: Generator,
    row: ReplySequence,
    step: str,
    uses: int,
    error: Exception,
    patch: pytest.MonkeyPatch,
) -> None:
    """Make a reply raise at one of its steps, whoever it is batched with; at the prefill, or ``uses`` tokens later."""
    if step == "assemble":
        row.assembler = Broken(row.assembler, "push", uses, error)  # type: ignore[assignment]
    elif step == "stop":
        row.stop_strings = Broken(row.stop_strings, "push", uses, error)  # type: ignore[assignment]
    elif step == "choose":

        def chosen(logits: torch.Tensor, samplings: Any, draws: Any) -> list[int]:
            tokens = choose_tokens(logits, samplings, draws)  # after the draws of all
            if row.draws in draws and len(row.token_ids) >= uses:
                raise error
            return tokens

        patch.setattr("safety_core.engine.generation.generator.choose_tokens", chosen)
    elif step == "embed":
        embed = model.embed

        def embedded(prompts: Any, *args: Any, **kwargs: Any) -> Any:
            if any(prompt is row.request.prompt for prompt in prompts):
                raise error
            return embed(prompts, *args, **kwargs)

        patch.setattr(model, "embed", embedded)
    else:
        prefill = generator._prefill
        within: list[bool] = []
        name = {"prefill": "_forward", "logits": "_compute_logits"}[step]
        inner = getattr(generator, name)

        def prefilled(rows: Sequence[ReplySequence]) -> Any:
            within[:] = [row in rows]
            try:
                return prefill(rows)
            finally:
                within.clear()

        def raised(*args: Any, **kwargs: Any) -> Any:
            done = inner(*args, **kwargs)  # after the cache was written
            if within and within[0]:
                raise error
            return done

        patch.setattr(generator, "_prefill", prefilled)
        patch.setattr(generator, name, raised)


@pytest.fixture(scope="module")
def company(model: SafeLlava, gallery: VisionFeatures) -> list[tuple[GenerationRequest, Generation]]:
    """Jobs of all kinds, and what becomes of each alone."""
    drawn = {"temperature": 1.3, "top_p": 0.9}
    jobs = [
        job(
            model, gallery, [one] * (one % 3), f"{one}", max_new_tokens=5, **({"seed": one, **drawn} if one % 2 else {})
        )
        for one in range(5)
    ]
    return [(one, alone(model, one)) for one in jobs]


@pytest.mark.parametrize(("step", "error", "late"), FAULTS)
@pytest.mark.parametrize("watched", [False, True])
def test_a_reply_that_raises_at_any_step_fails_alone_and_its_neighbours_are_as_alone(
    model: SafeLlava,
    company: list[tuple[GenerationRequest, Generation]],
    step: str,
    error: type[Exception],
    late: bool,
    watched: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    inner = Generator(model, max_replies=8)
    generator: Any = inner
    if watched:
        generator = RailedGenerator(inner, lambda texts, policies: [ReplyDecision.RELEASE] * len(texts), window=2)
    rows = [generator.create_sequence(one) for one, _ in company]
    broken = 3
    told = [one.sequence for one in generator.admit(rows[:1])]
    target = rows[broken].inner if watched else rows[broken]
    break_reply(model, inner, target, step, int(late), error("SECRET"), monkeypatch)
    told += [one.sequence for one in generator.admit(rows[1:])]
    assert told == rows, "each is told of once"
    while generator.running:
        generator.step()
    assert type(rows[broken].failure) is (ExhaustedError if error is MemoryError else GenerationError)
    for number, (row, (_, expected)) in enumerate(zip(rows, company, strict=True)):
        if number != broken:
            assert (tuple(row.token_ids), row.text, row.failure) == (expected.token_ids, expected.text, None)
    assert nothing_left(inner)


@pytest.mark.parametrize("step", ["choose", "assemble", "stop"])
def test_a_reply_whose_own_share_raises_while_it_runs_alone_does_not_take_the_model_for_broken(
    model: SafeLlava, gallery: VisionFeatures, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator = Generator(model)
    row = generator.create_sequence(job(model, gallery))
    break_reply(model, generator, row, step, 1, RuntimeError("SECRET"), monkeypatch)
    generator.admit([row])
    (made,) = generator.step()
    assert made.sequence is row
    assert isinstance(row.failure, GenerationError)
    assert generator.running == 0


def test_room_that_could_not_be_had_is_not_asked_for_by_those_who_run(
    model: SafeLlava, gallery: VisionFeatures, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator = Generator(model)
    first = generator.create_sequence(job(model, gallery, [], "hi"))
    generator.admit([first])
    held = generator._cache.shape
    fitted = generator._cache._resize

    def scarce(buffer: Any, states: torch.Tensor) -> torch.Tensor:
        if generator._cache.shape != held:
            raise MemoryError
        return fitted(buffer, states)

    monkeypatch.setattr(generator._cache, "_resize", scarce)
    large = [generator.create_sequence(job(model, gallery, [number], max_new_tokens=300)) for number in range(4)]
    generator.admit(large)
    assert all(isinstance(row.failure, ExhaustedError) for row in large)
    finish(generator)
    assert_as_alone(model, first)


def test_after_a_burst_keys_and_values_are_given_back(
    model: SafeLlava, gallery: VisionFeatures, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator = Generator(model)
    made_rows = [generator.create_sequence(job(model, gallery, [number % 6], max_new_tokens=3)) for number in range(8)]
    generator.admit(made_rows)
    generator.release_memory()
    assert generator.nbytes > 0, "replies run"
    finish(generator)
    generator.release_memory()
    assert generator.nbytes == 0
    monkeypatch.setattr("safety_core.engine.generation.generator._KEPT_BYTES", 0)
    many = [
        generator.create_sequence(job(model, gallery, [number % 6], f"{number}", max_new_tokens=4))
        for number in range(8)
    ]
    generator.admit(many)
    burst = generator.nbytes
    finish(generator)
    assert generator.nbytes == 0, "large buffers do not wait for an idle moment"
    lone = generator.create_sequence(job(model, gallery, max_new_tokens=60))
    generator.admit([*(generator.create_sequence(one.request) for one in many), lone])
    for _ in range(6):
        generator.step()
    assert generator.running == 1
    late = generator.create_sequence(job(model, gallery, max_new_tokens=5))
    generator.admit([late])
    assert generator.nbytes < burst, "one long reply does not keep what a burst needed"
    finish(generator)
    for row in (*many, lone, late):
        assert_as_alone(model, row)


def test_a_prompt_that_breaks_the_model_fails_by_itself(
    model: SafeLlava, gallery: VisionFeatures, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    generator = Generator(model)
    embed = model.embed

    def broken(prompts: Any, *args: Any, **kwargs: Any) -> Any:
        if any(len(prompt.image_positions) == 2 for prompt in prompts):
            raise RuntimeError("SECRET")
        return embed(prompts, *args, **kwargs)

    monkeypatch.setattr(model, "embed", broken)
    rows = [generator.create_sequence(job(model, gallery, [0] * count)) for count in (1, 2, 0)]
    generator.admit(rows)
    assert isinstance(rows[1].failure, GenerationError)
    assert "RuntimeError" in caplog.text
    assert "SECRET" not in caplog.text
    finish(generator)
    monkeypatch.undo()
    assert_as_alone(model, rows[0])
    assert_as_alone(model, rows[2])


def test_a_model_that_fails_for_everybody_is_at_fault_itself(
    model: SafeLlava, gallery: VisionFeatures, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator = Generator(model)
    generator.admit([generator.create_sequence(job(model, gallery, [number])) for number in range(3)])

    def broken(*args: Any) -> torch.Tensor:
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    monkeypatch.setattr(generator, "_forward", broken)
    with pytest.raises(RuntimeError, match="illegal memory access"):
        generator.step()


def test_dropping_a_reply_that_does_not_run_changes_nothing(model: SafeLlava, gallery: VisionFeatures) -> None:
    generator = Generator(model)
    row = generator.create_sequence(job(model, gallery, max_new_tokens=3))
    generator.drop(row)
    assert not row.done
    generator.admit([row])
    finish(generator)
    generator.drop(row)
    assert_as_alone(model, row)


def test_a_step_without_replies_does_nothing(model: SafeLlava) -> None:
    assert Generator(model).step() == []


@pytest.mark.parametrize("quantize", ["nf4", "int8"])
def test_a_quantised_language_model_answers_in_company_as_alone(
    tiny_checkpoint: Path, quantize: Literal["nf4", "int8"]
) -> None:
    quantised = load_checkpoint(tiny_checkpoint, quantize=quantize).eval()
    use_portable_kernels(quantised)
    seen = quantised.encode_images(quantised.preprocess([create_picture(colour).views[0] for colour in COLOURS]))
    jobs = [job(quantised, seen, [number % 6] * (number % 3), f"{number}") for number in range(8)]
    for row in made(Generator(quantised, max_replies=3), jobs):
        assert_as_alone(quantised, row)


def test_steps_with_packed_weights_are_close_to_the_plain_ones(
    model: SafeLlava, gallery: VisionFeatures, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        pytest.skip("oneDNN has no bfloat16 on this processor")
    monkeypatch.setattr(layer_products, "SMALLEST_BYTES", 0)
    monkeypatch.setattr(layer_products, "multiplies_bfloat16", lambda: True)
    logits: list[torch.Tensor] = []
    for packed in (pack_quick_step(model.backbone), None):
        generator = Generator(model, eos_ids=(), packed=packed)
        (first, second) = [generator.create_sequence(job(model, gallery, text=text)) for text in TEXTS[:2]]
        generator.admit([first, second])
        for sequence in (first, second):
            sequence.token_ids[-1] = 7  # the same token for both generators
        with monkeypatch.context() as patch:
            patch.setattr(generator, "_append_tokens", lambda _, logits_RW: logits.append(logits_RW.clone()))
            generator._decode([first, second])
    torch.testing.assert_close(logits[0], logits[1], rtol=0.05, atol=0.05)
    assert not torch.equal(logits[0], logits[1])

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import TypeAdapter
from torch import Tensor, nn

from dlcheck.components.info import DataInfo
from dlcheck.components.models import MODELS, build_model
from dlcheck.components.models.autoencoder import AutoencoderNetwork
from dlcheck.components.models.captioner import CaptionerNetwork
from dlcheck.components.models.recurrent import RecurrentNetwork
from dlcheck.components.models.sequence import as_sequence, sequence_shape
from dlcheck.components.models.transformer import TransformerNetwork
from dlcheck.errors import DlcheckError
from dlcheck.recipe.model import Model
from dlcheck.recipe.override import component_models

ADAPTER: TypeAdapter[Any] = TypeAdapter(Model)
READERS = ["rnn", "lstm", "gru", "transformer"]
TEXT = DataInfo("language", (12,), 20, {"train": 50})
CAPTIONS = DataInfo("caption", (1, 8, 8), 15, {"train": 50})


def build(keys: Mapping[str, object], info: DataInfo) -> nn.Module:
    return build_model(ADAPTER.validate_python(keys), info, folder=Path())


def test_every_model_of_the_schema_has_a_builder() -> None:
    assert set(component_models("model").values()) == MODELS.sections()


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("shape", [(7, 3), (5,), (1, 8, 8), (3, 6, 4)])
def test_numbers_of_any_shape_give_one_answer(name: str, shape: tuple[int, ...]) -> None:
    model = build({"name": name}, DataInfo("regression", shape, 2, {"train": 50}))
    assert model(torch.randn(4, *shape)).shape == (4, 2)


def test_images_are_read_row_by_row() -> None:
    x = torch.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5).float()
    rows = as_sequence(x)
    assert rows.shape[1:] == sequence_shape(DataInfo("regression", (3, 4, 5), 1, {})) == (4, 15)
    torch.testing.assert_close(rows[:, 2], x[:, :, 2].flatten(1))


@pytest.mark.parametrize("name", READERS)
def test_characters_give_scores_after_each(name: str) -> None:
    assert build({"name": name}, TEXT)(torch.randint(20, (4, 12))).shape == (4, 12, 20)


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("changed", [1, 6, 11])
def test_scores_depend_on_no_later_character(name: str, changed: int) -> None:
    model = build({"name": name, "layers": 2}, TEXT).eval()
    x = torch.randint(20, (3, 12))
    other = x.clone()
    other[:, changed] = (other[:, changed] + 1) % 20
    torch.testing.assert_close(model(x)[:, :changed], model(other)[:, :changed])
    assert not torch.allclose(model(x)[:, changed], model(other)[:, changed], atol=1e-6)


@pytest.mark.parametrize("name", READERS)
def test_last_character_depends_on_the_first(name: str) -> None:
    model = build({"name": name}, TEXT).eval()
    x = torch.randint(20, (1, 12))
    other = torch.cat([(x[:, :1] + 1) % 20, x[:, 1:]], dim=1)
    assert not torch.equal(model(x)[:, -1], model(other)[:, -1])


@pytest.mark.parametrize("name", READERS)
def test_shorter_text_is_read_too(name: str) -> None:
    assert build({"name": name}, TEXT)(torch.randint(20, (1, 5))).shape == (1, 5, 20)


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("info", [TEXT, DataInfo("classification", (6, 2), 3, {"train": 9})])
def test_gradient_reaches_every_parameter(name: str, info: DataInfo) -> None:
    model = build({"name": name, "layers": 2, "dropout": 0.1}, info)
    x = torch.randint(20, (4, 12)) if info is TEXT else torch.randn(4, 6, 2)
    model(x).square().sum().backward()
    assert [key for key, p in model.named_parameters() if p.grad is None or not p.grad.any()] == []


@pytest.mark.parametrize("name", READERS)
def test_dropout_takes_effect_in_training_only(name: str) -> None:
    model = build({"name": name, "dropout": 0.5}, DataInfo("classification", (6, 2), 3, {"train": 9}))
    x = torch.randn(4, 6, 2)
    assert not torch.equal(model(x), model(x))
    model.eval()
    torch.testing.assert_close(model(x), model(x))


def test_bidirectional_answer_holds_the_ends_of_both_directions() -> None:
    info = DataInfo("classification", (6, 2), 3, {"train": 9})
    model = build({"name": "gru", "bidirectional": True, "hidden": 4}, info)
    assert isinstance(model, RecurrentNetwork)
    x = torch.randn(5, 6, 2)
    states, _ = model.recurrent(x)
    ends = torch.cat([states[:, -1, :4], states[:, 0, 4:]], dim=1)
    torch.testing.assert_close(model(x), model.head(ends))


def test_bidirectional_networks_do_not_predict_text() -> None:
    with pytest.raises(DlcheckError, match=r"model\.bidirectional = true"):
        build({"name": "lstm", "bidirectional": True}, TEXT)


def test_attention_is_pytorchs_own() -> None:
    model = build({"name": "transformer", "width": 8, "heads": 2, "layers": 1}, TEXT)
    assert isinstance(model, TransformerNetwork)
    ours = model.get_submodule("blocks.block1.attention")
    theirs = nn.MultiheadAttention(8, 2, batch_first=True)
    state = {key: ours.get_parameter(f"qkv.{key}").detach() for key in ("weight", "bias")}
    theirs.load_state_dict(
        {
            "in_proj_weight": state["weight"],
            "in_proj_bias": state["bias"],
            "out_proj.weight": ours.get_parameter("project.weight"),
            "out_proj.bias": ours.get_parameter("project.bias"),
        }
    )
    x = torch.randn(2, 5, 8)
    mask = torch.ones(5, 5, dtype=torch.bool).triu(1)
    torch.testing.assert_close(ours(x), theirs(x, x, x, attn_mask=mask)[0])


def test_order_matters_to_the_transformer_on_series() -> None:
    model = build({"name": "transformer"}, DataInfo("classification", (6, 2), 3, {"train": 9})).eval()
    x = torch.randn(2, 6, 2)
    assert not torch.allclose(model(x), model(x.flip(1)), atol=1e-6)


def test_tied_weights_are_one_parameter() -> None:
    free, tied = (build({"name": "transformer", "tie_weights": tie}, TEXT) for tie in (False, True))
    saved = sum(p.numel() for p in free.parameters()) - sum(p.numel() for p in tied.parameters())
    assert saved == 20 * 64


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"heads": 5}, r"model\.heads = 5 does not divide model\.width = 64"),
        ({"tie_weights": True}, r"model\.tie_weights = true"),
    ],
)
def test_transformer_names_the_key_at_fault(keys: dict[str, object], message: str) -> None:
    with pytest.raises(DlcheckError, match=message):
        build({"name": "transformer", **keys}, DataInfo("classification", (6, 2), 3, {"train": 9}))


@pytest.mark.parametrize("shape", [(10,), (1, 8, 8), (6, 2)])
def test_autoencoder_squeezes_and_restores_any_shape(shape: tuple[int, ...]) -> None:
    info = DataInfo("reconstruction", shape, 10, {"train": 9})
    model = build({"name": "autoencoder", "hidden": [16, 12], "code": 3, "activation": "maxout"}, info)
    assert isinstance(model, AutoencoderNetwork)
    x = torch.randn(4, *shape)
    assert model.encode(x).shape == (4, 3)
    assert model(x).shape == x.shape
    torch.testing.assert_close(model.decode(model.encode(x)), model(x))


def test_decoder_mirrors_the_encoder() -> None:
    info = DataInfo("reconstruction", (10,), 10, {"train": 9})
    model = build({"name": "autoencoder", "hidden": [16, 12], "code": 3}, info)
    sizes = [(m.in_features, m.out_features) for m in model.modules() if isinstance(m, nn.Linear)]
    assert sizes == [(10, 16), (16, 12), (12, 3), (3, 12), (12, 16), (16, 10)]


def captioner(cell: str) -> CaptionerNetwork:
    model = build({"name": "captioner", "cell": cell}, CAPTIONS)
    assert isinstance(model, CaptionerNetwork)
    return model.eval()


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_captions_depend_on_image_and_earlier_words_only(cell: str) -> None:
    model = captioner(cell)
    images, words = torch.randn(3, 1, 8, 8), torch.randint(15, (3, 6))
    scores = model(images, words)
    assert scores.shape == (3, 6, 15)
    later = torch.cat([words[:, :4], (words[:, 4:] + 1) % 15], dim=1)
    torch.testing.assert_close(model(images, later)[:, :4], scores[:, :4])
    assert not torch.allclose(model(images + 1, words), scores, atol=1e-7)


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_description_takes_the_likeliest_word_each_time(cell: str) -> None:
    model = captioner(cell)
    images = torch.randn(3, 1, 8, 8)
    words = model.describe(images, start=0, stop=-1, max_length=5)
    told = torch.cat([torch.zeros(3, 1, dtype=torch.long), words[:, :-1]], dim=1)
    assert words.dtype == torch.long
    torch.testing.assert_close(model(images, told).argmax(dim=2), words)


def favour(model: CaptionerNetwork, word: int) -> None:
    with torch.no_grad():
        model.head.weight.zero_()
        model.head.bias.zero_()
        model.head.bias[word] = 1.0


def test_description_ends_at_the_stop_word() -> None:
    model = captioner("gru")
    favour(model, 7)
    assert model.describe(torch.randn(2, 1, 8, 8), start=0, stop=7, max_length=5).tolist() == [[7], [7]]
    assert model.describe(torch.randn(2, 1, 8, 8), start=0, stop=3, max_length=5).tolist() == [[7] * 5] * 2


def test_ended_rows_are_filled_with_the_stop_word() -> None:
    model = captioner("gru")
    script = iter([[1, 7], [7, 2], [4, 4]])

    def read(words: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        return nn.functional.one_hot(torch.tensor(next(script)), 15).float().unsqueeze(1), state

    model._read = read  # type: ignore[method-assign, assignment]
    words = model.describe(torch.randn(2, 1, 8, 8), start=0, stop=7, max_length=3)
    assert words.tolist() == [[1, 7], [7, 7]]


@pytest.mark.parametrize(
    ("name", "info"),
    [
        ("mlp", TEXT),
        ("cnn", CAPTIONS),
        ("mlp", DataInfo("reconstruction", (4,), 4, {})),
        ("autoencoder", DataInfo("classification", (4,), 4, {})),
        ("captioner", DataInfo("classification", (1, 8, 8), 4, {})),
    ],
)
def test_models_refuse_tasks_that_they_cannot_do(name: str, info: DataInfo) -> None:
    with pytest.raises(DlcheckError, match=rf'model\.name = "{name}" cannot do .*{info.task}; valid: '):
        build({"name": name}, info)

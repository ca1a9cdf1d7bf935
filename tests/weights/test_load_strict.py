import pytest
import torch

from pipeline.core.errors import UserError
from pipeline.weights.load_strict import as_one_number, load_strict


def pair() -> torch.nn.Linear:
    return torch.nn.Linear(2, 1)


def test_a_state_dict_fills_its_model_in_the_models_own_dtype():
    source, model = pair(), pair()
    doubled = {key: value.double() for key, value in source.state_dict().items()}
    assert load_strict(model, doubled, "here") == []
    assert model.weight.dtype == torch.float32 and torch.equal(model.weight, source.weight)


def test_every_fault_is_named_at_once_and_nothing_is_loaded():
    model, before = pair(), torch.nn.Linear(2, 1)
    before.load_state_dict(model.state_dict())
    weights = {"weight": torch.zeros(3, 2), "odd": torch.zeros(1)}
    words = (
        r"^here: the weights do not fit the model: 1 missing: bias; 1 of another shape: "
        r"theirs is \(3, 2\) where \(1, 2\) is expected; 1 not in this architecture: odd$"
    )
    with pytest.raises(ValueError, match=words):
        load_strict(model, weights, "here", named={"weight": "theirs"})
    with pytest.raises(ValueError, match="1 with NaN or infinite numbers: bias"):
        load_strict(
            model, {"weight": torch.zeros(1, 2), "bias": torch.full((1,), torch.nan)}, "here"
        )
    assert torch.equal(model.weight, before.weight)


def test_spare_weights_are_told():
    weights = pair().state_dict() | {"odd": torch.zeros(1)}
    assert load_strict(pair(), weights, "here", spare=True) == ["odd"]


@pytest.mark.parametrize("shape", [(), (1,)])
@pytest.mark.parametrize("factor", [10.0, 14.2857, 100.0, 117.33, 1000.0])
def test_a_scale_stored_as_the_factor_is_read_as_its_logarithm(factor, shape):
    weights = {"logit_scale": torch.full(shape, factor)}
    notes = as_one_number(weights, "x.pt: CLIP")
    assert weights["logit_scale"].exp().item() == pytest.approx(factor) and notes
    assert f"logit_scale is {factor:g}, the factor itself, read as its logarithm" in notes[-1]


@pytest.mark.parametrize("value", [0.0, 2.6593, 4.6052, 4.7651, 7.0])
def test_a_scale_stored_as_logarithm_stays(value):
    weights = {"logit_scale": torch.tensor(value)}
    assert as_one_number(weights, "x.pt") == [] and weights["logit_scale"] == torch.tensor(value)


@pytest.mark.parametrize("value", [1e9, 1001.0, 8.5, -0.1, -100.0])
def test_a_scale_that_is_neither_is_refused(value):
    with pytest.raises(UserError, match="x.pt: CLIP: logit_scale is .*; expected the logarithm"):
        as_one_number({"logit_scale": torch.tensor(value)}, "x.pt: CLIP")


def test_long_lists_are_cut_unless_all_is_asked_for():
    model = torch.nn.Sequential(*[pair() for _ in range(4)])
    with pytest.raises(ValueError, match="8 missing: .* and 3 more$"):
        load_strict(model, {}, "here")
    with pytest.raises(ValueError, match="3.weight, 3.bias$"):
        load_strict(model, {}, "here", max_keys=None)

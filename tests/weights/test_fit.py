import pytest
import torch

from pipeline.weights.fit import fill


def pair() -> torch.nn.Linear:
    return torch.nn.Linear(2, 1)


def test_a_state_dict_fills_its_model_in_the_models_own_dtype():
    source, model = pair(), pair()
    doubled = {key: value.double() for key, value in source.state_dict().items()}
    assert fill(model, doubled, "here") == []
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
        fill(model, weights, "here", named={"weight": "theirs"})
    with pytest.raises(ValueError, match="1 with NaN or infinite numbers: bias"):
        fill(model, {"weight": torch.zeros(1, 2), "bias": torch.full((1,), torch.nan)}, "here")
    assert torch.equal(model.weight, before.weight)


def test_spare_weights_are_told():
    weights = pair().state_dict() | {"odd": torch.zeros(1)}
    assert fill(pair(), weights, "here", spare=True) == ["odd"]


def test_long_lists_are_cut_unless_all_is_asked_for():
    model = torch.nn.Sequential(*[pair() for _ in range(4)])
    with pytest.raises(ValueError, match="8 missing: .* and 3 more$"):
        fill(model, {}, "here")
    with pytest.raises(ValueError, match="3.weight, 3.bias$"):
        fill(model, {}, "here", most=None)

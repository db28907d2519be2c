"""The least there is: two items, and no history as long as the network's window."""

from typing import Any

import numpy as np
import pytest

from sasrec_export.recipes import plan

pytestmark = pytest.mark.tf

VARIANTS = [chosen.name for chosen in plan()]


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """(bundle, report) of a network that saw two items."""
    from sasrec_export.bundle.write import write_bundle
    from sasrec_train import config, datasets
    from sasrec_train import run as run_module

    folder = tmp_path_factory.mktemp("two")
    rng = np.random.default_rng(0)
    lines = [f"{user} {item}" for user in range(1, 31) for item in rng.choice(["a", "b"], rng.integers(3, 9))]
    (folder / "log.txt").write_text("\n".join(lines))
    log = datasets.load(str(folder / "log.txt"))
    model, recipe = config.preset(
        "modern", n_items=2, model={"max_len": 12, "hidden_dim": 24, "ffn_dim": 24}, train={"epochs": 1}
    )
    run = run_module.create(log, model, recipe, folder / "run")
    return write_bundle(run, folder / "bundle", plans=plan())


@pytest.mark.parametrize("name", VARIANTS)
def test_a_catalogue_of_two_items_is_answered_whole(exported, name) -> None:
    from sasrec_runtime import Recommender
    from sasrec_runtime.checks import verify

    bundle, _ = exported
    (check,) = verify.verify(bundle, [name])
    assert check.status == "passed"
    recommender = Recommender.load(bundle, variant=name)
    both = recommender.recommend(["a", "b", "a"], 2, exclude_seen=False)
    assert {item.key for item in both} == {"a", "b"}
    assert recommender.recommend(["a", "b", "a"], 1, exclude_seen=False)[0].key == both[0].key
    assert [item.key for item in recommender.recommend(["a"], 2)] == ["b"]
    assert len(recommender.recommend(["a", "b"], 1)) == 0
    np.testing.assert_allclose(
        recommender.score(["a", "b", "a"], [item.key for item in both]), [item.score for item in both], atol=0.5
    )


def test_a_list_that_nothing_is_left_for_agrees_with_itself(exported) -> None:
    _, report = exported
    assert {variant.overlap_10 for variant in report.variants if variant.name.endswith("fp32")} == {1.0}


def test_histories_shorter_than_the_window_are_padded_to_it() -> None:
    from sasrec_export.encoder import calibration
    from sasrec_train.log.interactions import Histories

    sample = calibration.sample(Histories.from_lists([[1, 2], [2]]), max_len=4, seed=0)
    assert sample.tolist() == [[0, 0, 1, 2], [0, 0, 0, 2]]

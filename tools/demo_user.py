"""A part of `make demo`: one real user's newest films, ten recommended by the int8 ONNX model, and what came next.

Example: python tools/demo_user.py demo/run demo/bundle
"""

import sys

from sasrec_runtime import Recommender
from sasrec_train.run import Run

USER = "1"
SHOWN = 5


def main(run_folder: str, bundle_folder: str) -> None:
    run = Run.load(run_folder)
    interactions, test = run.interactions, run.split().test
    row = next((i for i, user in enumerate(test.users) if interactions.user_keys[user] == USER), 0)
    keys = [interactions.item_keys[item_id - 1] for item_id in test.histories[row]]
    recommender = Recommender.load(bundle_folder, variant="onnx-wi8")

    def title(key: str) -> str:
        return recommender.vocabulary.title(recommender.vocabulary.ids([key])[0]) or key

    print(f"\nUser {interactions.user_keys[test.users[row]]} saw {len(keys)} films, last of all:")
    for key in keys[-SHOWN:]:
        print(f"    {title(key)}")
    print(f"\nTen to see next, by {recommender.variant.name}:")
    for rank, item in enumerate(recommender.recommend(keys, k=10), 1):
        print(f"{rank:4}  {item.score:6.3f}  {item.title or item.key}")
    print(f"\nThe film that came next: {title(interactions.item_keys[test.targets[row] - 1])}")


if __name__ == "__main__":
    main(*sys.argv[1:])

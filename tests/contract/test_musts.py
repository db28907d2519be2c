"""Every sentence of runtime/BUNDLE.md that holds MUST is held by a test, which this table names."""

import ast
import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
BUNDLE_MD = TESTS.parent / "runtime" / "BUNDLE.md"

MANIFEST = "runtime/test_manifest.py"
BUNDLE = "runtime/test_bundle.py"
GOLDEN = "runtime/checks/test_golden.py"
CONTRACT = "runtime/engines/test_contract.py"
SHAPES = "runtime/engines/test_fixed_shapes.py"
ANSWERS = "runtime/engines/test_answers.py"
VOCABULARY = "runtime/vocabulary/test_vocabulary.py"

HELD_BY = {
    1: [f"{BUNDLE}::test_open_lists_all_missing_and_truncated_files", f"{BUNDLE}::test_open_refuses_what_is_no_bundle"],
    2: [f"{BUNDLE}::test_open_refuses_paths_out_of_the_bundle"],
    3: [f"{BUNDLE}::test_open_refuses_a_link_out_of_the_bundle", f"{BUNDLE}::test_open_refuses_a_linked_folder"],
    4: [f"{BUNDLE}::test_open_lists_all_missing_and_truncated_files", f"{BUNDLE}::test_what_is_no_file_is_missing"],
    5: [f"{BUNDLE}::test_verify_digests_lists_all_files_that_differ"],
    6: [f"{BUNDLE}::test_a_moved_bundle_is_the_same_bundle", f"{BUNDLE}::test_a_linked_bundle_opens"],
    7: [
        f"{BUNDLE}::test_files_that_the_manifest_does_not_name_are_ignored",
        "contract/test_only_ours.py::test_what_is_not_ours_stays_as_it_was",
    ],
    8: [f"{MANIFEST}::test_decode_refuses"],
    9: [
        f"{MANIFEST}::test_a_newer_version_is_named_whatever_else_it_holds",
        "contract/test_golden_bundles.py::test_a_bundle_of_each_format_version_is_kept",
    ],
    10: [
        f"{MANIFEST}::test_an_unknown_key_fails_anywhere",
        f"{MANIFEST}::test_a_missing_key_fails_anywhere",
        f"{MANIFEST}::test_a_repeated_key_among_very_many_is_found_at_once",
    ],
    12: [
        f"{MANIFEST}::test_open_refuses_a_bundle_without_variants",
        f"{MANIFEST}::test_open_refuses_contradictions",
    ],
    13: [f"{MANIFEST}::test_open_refuses_contradictions"],
    14: [f"{MANIFEST}::test_open_refuses_contradictions"],
    15: [f"{MANIFEST}::test_open_refuses_contradictions"],
    16: [f"{MANIFEST}::test_open_refuses_contradictions"],
    17: [
        f"{CONTRACT}::test_a_runtime_that_is_too_old_is_named_with_both_versions",
        f"{CONTRACT}::test_versions_compare_as_numbers",
    ],
    18: [f"{VOCABULARY}::test_read_refuses", f"{VOCABULARY}::test_the_last_line_feed_may_be_missing"],
    19: [f"{VOCABULARY}::test_read_refuses", f"{VOCABULARY}::test_any_key_survives_the_file"],
    22: [f"{CONTRACT}::test_padding_and_ids_that_are_no_items_change_nothing"],
    23: ["export/bundle/test_graph_contract.py::test_items_older_than_max_len_change_nothing"],
    24: [
        f"{CONTRACT}::test_padding_and_ids_that_are_no_items_change_nothing",
        "export/bundle/test_graph_contract.py::test_a_trimmed_history_answers_as_a_padded_one",
    ],
    25: [f"{CONTRACT}::test_a_row_does_not_depend_on_the_others"],
    26: [
        f"{CONTRACT}::test_equal_scores_go_to_the_lower_id",
        "export/bundle/test_graph_contract.py::test_scores_fall_along_the_list_and_no_item_comes_twice",
    ],
    27: [
        f"{CONTRACT}::test_any_number_of_excluded_ids",
        "export/bundle/test_graph_contract.py::test_excluded_items_and_padding_are_never_returned",
    ],
    28: [
        f"{CONTRACT}::test_places_that_no_item_can_take_hold_padding_with_a_very_low_score",
        "runtime/test_recommender.py::test_the_list_is_shorter_where_fewer_items_remain",
    ],
    29: [
        f"{CONTRACT}::test_all_padding_is_finite",
        "runtime/test_recommender.py::test_an_empty_history_gives_the_most_popular_items_and_says_so",
    ],
    30: [
        f"{SHAPES}::test_recommend_takes_any_number_of_rows_and_columns",
        f"{SHAPES}::test_score_takes_any_number_of_candidates",
        f"{SHAPES}::test_more_excluded_items_than_fit_are_refused_not_dropped",
    ],
    32: [
        f"{CONTRACT}::test_a_graph_with_another_dtype_is_refused",
        f"{CONTRACT}::test_a_graph_with_another_name_is_refused",
        f"{CONTRACT}::test_a_tensor_with_another_rank_is_refused_unless_it_is_unknown",
    ],
    33: [f"{GOLDEN}::test_decode_refuses", f"{GOLDEN}::test_a_newer_golden_is_a_format_version_error"],
    35: [
        f"{GOLDEN}::test_decode_refuses_answers_that_do_not_fit_their_case",
        f"{GOLDEN}::test_decode_refuses_more_items_than_k",
        f"{GOLDEN}::test_encode_refuses_a_score_that_json_cannot_hold",
    ],
    44: [f"{GOLDEN}::test_cases_are_asked_again_in_batches"],
    45: [f"{MANIFEST}::test_open_refuses_what_no_model_has", f"{GOLDEN}::test_decode_refuses_ids_beyond_int32"],
    46: [
        f"{MANIFEST}::test_open_refuses_what_no_model_has",
        f"{GOLDEN}::test_a_golden_that_is_far_too_large_is_not_read",
    ],
    47: [
        "runtime/atomic/test_processes.py::test_a_reader_finds_a_whole_folder_through_fifty_replacements",
        "runtime/test_one_state.py::test_no_answer_comes_from_two_models_while_the_folder_is_replaced",
    ],
    48: [
        "runtime/test_one_state.py::test_a_bundle_that_was_opened_and_replaced_is_not_loaded",
        "runtime/test_one_state.py::test_score_does_not_answer_from_another_bundle",
        "runtime/test_one_state.py::test_the_batch_model_is_not_taken_from_another_bundle",
    ],
    49: [
        "runtime/test_digests.py::test_a_file_of_the_right_size_and_other_content_is_refused",
        "runtime/test_digests.py::test_what_is_hashed_costs_little_or_was_asked_for",
    ],
    50: [
        f"{ANSWERS}::test_an_unsound_answer_is_refused",
        f"{ANSWERS}::test_a_candidate_score_that_is_not_finite_is_refused",
        "runtime/engines/test_engine_errors.py::test_onnx_outputs_of_another_shape_are_refused",
    ],
}
"""Number of the sentence → the tests that fail where it is broken, as `file::test` below tests/."""


def sentences() -> dict[int, str]:
    """Return number → text of the numbered sentences."""
    text = BUNDLE_MD.read_text(encoding="utf-8")
    found = re.findall(r"^(\d+)\. (.*(?:\n {4}.*)*)", text, re.MULTILINE)
    return {int(number): sentence for number, sentence in found}


def test_every_sentence_with_must_is_in_the_table() -> None:
    assert [number for number, sentence in sentences().items() if "MUST" in sentence] == list(HELD_BY)


def test_every_must_stands_in_a_numbered_sentence() -> None:
    _, _, law = BUNDLE_MD.read_text(encoding="utf-8").partition("\n## ")
    assert law.count("MUST") == sum(sentence.count("MUST") for sentence in sentences().values())


@pytest.mark.parametrize("number", HELD_BY)
def test_the_tests_that_hold_a_sentence_exist(number: int) -> None:
    for node_id in HELD_BY[number]:
        file, _, name = node_id.partition("::")
        tree = ast.parse((TESTS / file).read_text(encoding="utf-8"))
        assert name in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}, node_id

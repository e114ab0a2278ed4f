"""Joins a converted tokenizer and a converted model into one graph that takes text.

Imports openvino and openvino_tokenizers, whose import teaches openvino.Core its operations.
"""

from __future__ import annotations

from typing import Any

import openvino as ov
from openvino_tokenizers import convert_tokenizer

from lepton.create.errors import CreateError, one_line

INPUT = "text"


def tokenizer_graph(tokenizer: Any) -> ov.Model:  # noqa: ANN401 - transformers is an extra
    """Returns the tokenizer as a graph: strings [batch] in, tokens [batch, length] out.

    Text is cut at tokenizer.model_max_length; shorter rows are padded to the longest of the batch.

    Raises:
        CreateError: OpenVINO Tokenizers does not know this kind of tokenizer.
    """
    try:
        graph = convert_tokenizer(tokenizer, truncation=True)
    except Exception as error:  # Raised by its own classes, and by those that it calls.
        raise CreateError(
            f"OpenVINO Tokenizers cannot convert {type(tokenizer).__name__}: {one_line(error)}"
        ) from None
    _make_stateless(graph)
    return graph


def token_names(tokenizer: ov.Model) -> set[str]:
    """Returns the outputs of a tokenizer's graph, e.g. input_ids and attention_mask."""
    return {name for port in tokenizer.outputs for name in port.get_names()}


def join(tokenizer: ov.Model, model: ov.Model, output: str) -> ov.Model:
    """Returns one graph: text [batch] in, the model's answer out. Both parts are used up.

    Args:
        tokenizer: Made by tokenizer_graph().
        model: Its inputs are named like the tokenizer's outputs.
        output: The name of the answer.
    """
    tokens = {name: port for port in tokenizer.outputs for name in port.get_names()}
    for parameter in model.get_parameters():
        port = parameter.output(0)
        source = tokens[next(iter(port.get_names()))].get_node().input_value(0)
        for target in port.get_target_inputs():
            target.replace_source_output(source)
    graph = ov.Model(model.get_results(), tokenizer.get_parameters(), "text_model")
    graph.get_parameters()[0].set_friendly_name(INPUT)
    graph.input(0).set_names({INPUT})
    graph.get_results()[0].set_friendly_name(output)
    graph.output(0).set_names({output})
    graph.validate_nodes_and_infer_types()
    return graph


def _make_stateless(tokenizer: ov.Model) -> None:
    """Replaces variables by their initial values.

    Whether text is truncated is a variable, so that a caller can turn it off. A server's requests
    must not change each other's answers.
    """
    for node in tokenizer.get_ops():
        if node.get_type_name() == "ReadValue":
            node.output(0).replace(node.input_value(0))
    for sink in tokenizer.get_sinks():
        tokenizer.remove_sink(sink)
    for variable in tokenizer.get_variables():
        tokenizer.remove_variable(variable)
    tokenizer.validate_nodes_and_infer_types()

#include "http_dialogue.h"

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "question.h"

namespace lepton::bench {
namespace {

Question question(std::size_t output_bytes) {
    return {.model = "m", .inputs = {parse_tensor("x:FP32:1x4")}, .output_bytes = output_bytes};
}

// What became of the last of the bytes, given in pieces of `piece` bytes.
Heard hear(Dialogue& dialogue, std::string_view text, std::size_t piece) {
    Heard heard = Heard::kPart;
    while (!text.empty()) {
        const auto space = dialogue.space();
        const std::size_t count = std::min({piece, text.size(), space.size()});
        std::memcpy(space.data(), text.data(), count);
        text.remove_prefix(count);
        heard = dialogue.hear(count);
        if (text.empty()) break;
        EXPECT_EQ(heard, Heard::kPart);
    }
    return heard;
}

std::string answer(int status, std::string_view fields, std::string_view body) {
    return "HTTP/1.1 " + std::to_string(status) +
           " X\r\ncontent-length: " + std::to_string(body.size()) + "\r\n" + std::string(fields) +
           "\r\n" + std::string(body);
}

TEST(HttpDialogue, AsksForTheSameBytesEachTime) {
    HttpDialogue dialogue(question(0), HttpBody::kBinary, "h");
    EXPECT_TRUE(dialogue.unsent().empty());
    dialogue.ask();
    const auto bytes = std::as_bytes(dialogue.unsent());
    const std::string first(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    EXPECT_TRUE(first.starts_with("POST /v2/models/m/infer HTTP/1.1\r\n"));
    EXPECT_TRUE(first.ends_with(question(0).inputs[0].bytes));
    dialogue.sent(10);
    EXPECT_EQ(dialogue.unsent().size(), first.size() - 10);
    dialogue.sent(first.size() - 10);
    dialogue.ask();
    EXPECT_EQ(dialogue.unsent().size(), first.size());
}

TEST(HttpDialogue, AnswersMayComeInPiecesOfAnySize) {
    const std::string text = answer(200, "Inference-Header-Content-Length: 2\r\n", "{}12345678");
    for (std::size_t piece = 1; piece <= text.size(); ++piece) {
        HttpDialogue dialogue(question(8), HttpBody::kBinary, "h");
        EXPECT_EQ(hear(dialogue, text, piece), Heard::kAnswer);
        EXPECT_EQ(hear(dialogue, text, piece), Heard::kAnswer);
    }
}

TEST(HttpDialogue, AnswerOfTheWrongSizeIsRefused) {
    HttpDialogue binary(question(8), HttpBody::kBinary, "h");
    const std::string fields = "inference-header-content-length: 2\r\n";
    EXPECT_EQ(hear(binary, answer(200, fields, "{}1234567"), 1000), Heard::kRefused);
    HttpDialogue json(question(8), HttpBody::kJson, "h");
    const std::string right = R"({"outputs":[{"datatype":"FP32","data":[1,2]}]})";
    const std::string wrong = R"({"outputs":[{"datatype":"FP32","data":[1]}]})";
    EXPECT_EQ(hear(json, answer(200, "", right), 1000), Heard::kAnswer);
    EXPECT_EQ(hear(json, answer(200, "", wrong), 1000), Heard::kRefused);
}

TEST(HttpDialogue, AnswerThatIsNot200IsRefusedHoweverManyCameBefore) {
    HttpDialogue dialogue(question(0), HttpBody::kJson, "h");
    for (int i = 0; i < 2 * kAnswersToVerify; ++i) {
        EXPECT_EQ(hear(dialogue, answer(200, "", "{}"), 1000), Heard::kAnswer);
    }
    EXPECT_EQ(hear(dialogue, answer(503, "", "{}"), 1000), Heard::kRefused);
}

TEST(HttpDialogue, WhatIsNoHttpIsAnError) {
    HttpDialogue dialogue(question(0), HttpBody::kJson, "h");
    EXPECT_THROW(hear(dialogue, "SSH-2.0-x\r\n\r\n", 1000), std::runtime_error);
    EXPECT_THROW(hear(dialogue, "HTTP/1.1 200 OK\r\n\r\n", 1000), std::runtime_error);
}

}  // namespace
}  // namespace lepton::bench

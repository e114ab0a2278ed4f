#include "grpc_protobuf.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace lepton::client {
namespace {

std::span<const std::byte> bytes_of(const std::string& text) {
    return std::as_bytes(std::span(text));
}

TEST(Protobuf, VarintsReadAsWrittenAndAreAsLongAsPromised) {
    for (unsigned bit = 0; bit < 64; ++bit) {
        for (const std::uint64_t value : {std::uint64_t{1} << bit, (std::uint64_t{1} << bit) - 1}) {
            std::string text;
            append_varint(text, value);
            EXPECT_EQ(text.size(), varint_size(value)) << value;
            ProtobufReader reader(bytes_of(text));
            EXPECT_EQ(reader.varint(), value);
            EXPECT_TRUE(reader.ok() && reader.at_end());
        }
    }
}

TEST(Protobuf, FieldsReadAsWritten) {
    std::string message;
    append_text(message, 1, "name");
    append_varint(message, varint_tag(2));
    append_varint(message, 300);
    append_varint(message, fixed64_tag(3));
    message += std::string("\1\0\0\0\0\0\0\0", 8);
    append_text(message, 4, "");
    ProtobufReader reader(bytes_of(message));
    ASSERT_TRUE(reader.next());
    EXPECT_EQ(reader.tag(), bytes_tag(1));
    EXPECT_EQ(reader.text(), "name");
    ASSERT_TRUE(reader.next());
    EXPECT_EQ(reader.varint(), 300u);
    ASSERT_TRUE(reader.next());
    EXPECT_EQ(reader.fixed64(), 1u);
    ASSERT_TRUE(reader.next());
    EXPECT_EQ(reader.text(), "");
    EXPECT_FALSE(reader.next());
    EXPECT_TRUE(reader.ok());
}

TEST(Protobuf, FieldsOfEveryKindCanBeSkipped) {
    std::string message;
    append_varint(message, varint_tag(1));
    append_varint(message, UINT64_MAX);
    append_varint(message, fixed64_tag(2));
    message.append(8, 'x');
    append_text(message, 3, "text");
    append_varint(message, wire_tag(4, WireType::kFixed32));
    message.append(4, 'x');
    ProtobufReader reader(bytes_of(message));
    int fields = 0;
    for (; reader.next(); ++fields) reader.skip();
    EXPECT_TRUE(reader.ok());
    EXPECT_EQ(fields, 4);
}

TEST(Protobuf, MalformedMessagesFailAndStayFailed) {
    for (const std::string& message : {
             std::string("\x08"),      // A value is missing.
             std::string("\x08\xff"),  // A varint has no end.
             std::string("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),  // It is too long.
             std::string("\x0a\x05"
                         "abc"),  // Longer than the message.
             std::string("\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),  // 2^64 - 1 bytes.
             std::string("\x09"
                         "1234567"),                       // Seven bytes of eight.
             std::string("\x00\x01", 2),                   // Field number 0.
             std::string("\x0b"),                          // A group.
             std::string("\x0f"),                          // No wire type.
             std::string("\x88\x80\x80\x80\x80\x01\x01"),  // A tag of 36 bits.
         }) {
        ProtobufReader reader(bytes_of(message));
        while (reader.next()) reader.skip();
        EXPECT_FALSE(reader.ok()) << testing::PrintToString(message);
        EXPECT_FALSE(reader.next());
        EXPECT_EQ(reader.varint(), 0u);
        EXPECT_TRUE(reader.bytes().empty());
    }
}

TEST(Protobuf, NoiseNeverMakesItReadBeyondTheMessage) {
    std::mt19937 random(3);
    for (int i = 0; i < 20'000; ++i) {
        // On the heap and with its exact size, so that the address sanitizer watches its ends.
        std::string noise(random() % 40, '\0');
        for (char& c : noise) c = static_cast<char>(random());
        const std::vector<char> message(noise.begin(), noise.end());
        ProtobufReader reader(std::as_bytes(std::span(message)));
        std::size_t read = 0;
        while (reader.next()) {
            if (reader.tag() % 8 == 2) {
                read += reader.bytes().size();
            } else {
                reader.skip();
            }
        }
        ASSERT_LE(read, message.size());
    }
}

}  // namespace
}  // namespace lepton::client

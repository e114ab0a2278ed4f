#include "lepton/net/unsent_bytes.h"

#include <algorithm>
#include <string>

#include <gtest/gtest.h>

namespace lepton::net {
namespace {

std::span<const std::byte> bytes_of(const std::string& text) {
    return std::as_bytes(std::span(text));
}

// All of them, taken `count` at a time.
std::string drain(UnsentBytes& unsent, std::size_t count) {
    std::string all;
    while (!unsent.empty()) {
        const auto next = unsent.front().first(std::min(count, unsent.front().size()));
        all.append(reinterpret_cast<const char*>(next.data()), next.size());
        unsent.consume(next.size());
    }
    EXPECT_EQ(unsent.size(), 0U);
    EXPECT_TRUE(unsent.front().empty());
    return all;
}

TEST(UnsentBytes, LargeBodiesKeepTheirPlaceAndAllKeepTheirOrder) {
    memory::BufferPool pool;
    for (const std::size_t at_a_time : {std::size_t{1000}, std::size_t{1} << 20}) {
        UnsentBytes unsent(pool);
        const std::string large(UnsentBytes::kLargePart + 10, 'L');
        memory::Buffer body = pool.take(large.size());
        body.append(std::string_view(large));
        const std::byte* const place = body.data();
        unsent.append(body, 4);
        EXPECT_EQ(unsent.front().data(), place + 4);
        EXPECT_TRUE(body.empty());
        body.append("reused");  // It has a pool.
        unsent.append(bytes_of("head 2"));
        unsent.append(body, 0);
        memory::Buffer second = pool.take(large.size());
        second.append(std::string_view(large));
        unsent.append(second, 0);
        unsent.append(bytes_of("end"));
        EXPECT_EQ(unsent.size(), 2 * large.size() - 4 + 15);
        EXPECT_EQ(drain(unsent, at_a_time), large.substr(4) + "head 2reused" + large + "end");
    }
}

TEST(UnsentBytes, AHeadOfWhichARestIsLeftComesBeforeItsBody) {
    memory::BufferPool pool;
    UnsentBytes unsent(pool);
    unsent.append(bytes_of("ad"));
    memory::Buffer body = pool.take(UnsentBytes::kLargePart);
    body.append(std::string_view(std::string(UnsentBytes::kLargePart, 'b')));
    unsent.append(body, 0);
    EXPECT_EQ(drain(unsent, 7), "ad" + std::string(UnsentBytes::kLargePart, 'b'));
}

TEST(UnsentBytes, NothingIsNothing) {
    memory::BufferPool pool;
    UnsentBytes unsent(pool);
    unsent.append(std::span<const std::byte>());
    EXPECT_TRUE(unsent.empty());
    EXPECT_EQ(pool.held_bytes(), 0U);
}

}  // namespace
}  // namespace lepton::net

#include "lepton/pipeline/model_directory.h"

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace lepton::pipeline {
namespace {

class NamedNode final : public Node {
public:
    explicit NamedNode(int number) : number_(number) {}
    bool submit(InferCall&) override { return true; }
    Clock::duration forecast(std::int64_t, std::size_t) override { return {}; }
    [[nodiscard]] int number() const { return number_; }

private:
    int number_;
};

int number_of(const std::shared_ptr<Node>& node) {
    return node == nullptr ? -1 : static_cast<const NamedNode&>(*node).number();
}

TEST(ModelDirectory, FindsTheLatestVersionUnlessOneIsNamed) {
    ModelDirectory directory;
    const auto nine = std::make_shared<NamedNode>(9);
    const auto ten = std::make_shared<NamedNode>(10);
    directory.put("m", "9", nine);
    directory.put("m", "10", ten);
    EXPECT_EQ(number_of(directory.find("m", "")), 10);
    EXPECT_EQ(number_of(directory.find("m", "9")), 9);
    EXPECT_EQ(directory.find("m", "11"), nullptr);
    EXPECT_EQ(directory.find("m", "x"), nullptr);
    EXPECT_EQ(directory.find("other", ""), nullptr);
}

TEST(ModelDirectory, RemovedIsNotFoundAndKeptByNobody) {
    ModelDirectory directory;
    auto node = std::make_shared<NamedNode>(1);
    directory.put("m", "1", node);
    ASSERT_EQ(number_of(directory.find("m", "")), 1);
    const std::weak_ptr<Node> watch = node;
    directory.remove("m", "1");
    directory.remove("m", "1");
    node.reset();
    EXPECT_TRUE(watch.expired()) << "the snapshot that this thread saw keeps it";
    EXPECT_EQ(directory.find("m", ""), nullptr);
}

TEST(ModelDirectory, ThreadsThatServeSeveralDirectoriesDoNotMixThemUp) {
    ModelDirectory one;
    ModelDirectory other;
    const auto first = std::make_shared<NamedNode>(1);
    const auto second = std::make_shared<NamedNode>(2);
    one.put("m", "1", first);
    other.put("m", "1", second);
    for (int i = 0; i < 3; ++i) {
        EXPECT_EQ(number_of(one.find("m", "")), 1);
        EXPECT_EQ(number_of(other.find("m", "")), 2);
    }
    other.clear();
    EXPECT_EQ(other.find("m", ""), nullptr);
    EXPECT_EQ(number_of(one.find("m", "")), 1);
}

TEST(ModelDirectory, DirectoryInThePlaceOfAnotherIsNotTakenForIt) {
    const auto node = std::make_shared<NamedNode>(1);
    {
        ModelDirectory gone;
        gone.put("m", "1", node);
        ASSERT_NE(gone.find("m", ""), nullptr);
    }
    const ModelDirectory fresh;
    EXPECT_EQ(fresh.find("m", ""), nullptr);
}

TEST(ModelDirectory, ReplacedUnderLoadIsAlwaysFoundAndNeverGoesBack) {
    ModelDirectory directory;
    auto current = std::make_shared<NamedNode>(0);
    directory.put("m", "1", current);
    std::atomic<bool> stop = false;
    std::atomic<int> wrong = 0;
    std::vector<std::jthread> readers;
    readers.reserve(3);
    for (int i = 0; i < 3; ++i) {
        readers.emplace_back([&, i] {
            int last = 0;
            while (!stop) {
                const int number = number_of(directory.find("m", i % 2 == 0 ? "" : "1"));
                if (number < last) ++wrong;
                last = number;
            }
        });
    }
    for (int i = 1; i <= 2000; ++i) {
        auto next = std::make_shared<NamedNode>(i);
        directory.put("m", "1", next);
        current = std::move(next);  // The last one is freed.
    }
    stop = true;
    readers.clear();
    EXPECT_EQ(wrong, 0);
    EXPECT_EQ(number_of(directory.find("m", "")), 2000);
}

}  // namespace
}  // namespace lepton::pipeline

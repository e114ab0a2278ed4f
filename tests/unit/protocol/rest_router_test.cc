#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lepton/protocol/rest_router.h"
#include "unit/protocol/fakes.h"

namespace lepton::protocol {
namespace {

using testing::Contains;

class RestRouterTest : public testing::Test {
protected:
    memory::BufferPool pool_;
    FakeCatalog catalog_;
    FakeService service_{catalog_.model};
    Services services_{service_, catalog_, pool_};
    Settings settings_;
    RestRouter router_{services_, settings_, {"a.Service"}};
};

// "get /v2/models/{model}" for each operation of the paths' part of the description.
std::set<std::string> described() {
    std::ifstream file(std::filesystem::path(LEPTON_SOURCE_DIR) / "proto/openapi.yaml");
    std::set<std::string> operations;
    std::string path;
    for (std::string line; std::getline(file, line);) {
        if (!line.empty() && line.front() != ' ') path.clear();
        if (line.starts_with("  /") && line.ends_with(":")) path = line.substr(2, line.size() - 3);
        for (const std::string verb : {"get", "post", "put", "delete"}) {
            if (!path.empty() && line == "    " + verb + ":") operations.insert(verb + " " + path);
        }
    }
    return operations;
}

// The same of the tables, each pattern in both its forms.
std::set<std::string> offered(const std::vector<std::string>& routes) {
    const std::string optional = "[/versions/{version}]";
    std::set<std::string> operations;
    for (const std::string& route : routes) {
        const std::size_t slash = route.find(" /");
        const std::string verbs = route.substr(0, slash);
        std::string path = route.substr(slash + 1);
        std::vector<std::string> paths{path};
        if (const std::size_t at = path.find(optional); at != std::string::npos) {
            const std::string version = optional.substr(1, optional.size() - 2);
            paths = {std::string(path).replace(at, optional.size(), ""),
                     std::string(path).replace(at, optional.size(), version)};
        }
        for (const std::string& one : paths) {
            if (verbs.find("GET") != std::string::npos) operations.insert("get " + one);
            if (verbs.find("POST") != std::string::npos) operations.insert("post " + one);
        }
    }
    return operations;
}

TEST_F(RestRouterTest, OpenApiDescribesTheTablesAndNothingElse) {
    EXPECT_EQ(described(), offered(router_.routes()));
}

TEST_F(RestRouterTest, APatternWithTwoVerbsIsToldOnce) {
    EXPECT_THAT(router_.routes(),
                Contains("GET, POST /v2/models/{model}[/versions/{version}]/config"));
}

TEST_F(RestRouterTest, UnknownRoutesAreNamed) {
    for (const std::string text :
         {"", "/v1", "/v2/models/m/infer/", "/v2/health", "/metricsx", "*"}) {
        FakeExchange exchange{pool_};
        exchange.message.path = text;
        router_.handle(exchange);
        ASSERT_EQ(exchange.sent.size(), 1U) << text;
        EXPECT_EQ(exchange.sent[0].status, 404) << text;
        EXPECT_NE(exchange.sent[0].body.find(text), std::string::npos) << text;
    }
}

}  // namespace
}  // namespace lepton::protocol

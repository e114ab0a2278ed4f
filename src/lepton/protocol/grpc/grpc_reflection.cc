#include "lepton/protocol/grpc/grpc_reflection.h"

#include <array>
#include <set>
#include <string>

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <health.pb.h>
#include <inference.pb.h>
#include <reflection.pb.h>
#include <reflection_v1alpha.pb.h>

#include "lepton/protocol/protobuf/grpc_message.h"
#include "lepton/protocol/text.h"

namespace lepton::protocol {
namespace {

using google::protobuf::DescriptorPool;
using google::protobuf::FileDescriptor;
using grpc::reflection::v1::ServerReflectionRequest;
using grpc::reflection::v1::ServerReflectionResponse;

// Naming each file by one of its messages also keeps the linker from leaving it out.
std::array<const FileDescriptor*, 4> served_files() {
    return {inference::ModelInferRequest::descriptor()->file(),
            grpc::health::v1::HealthCheckRequest::descriptor()->file(),
            grpc::reflection::v1::ServerReflectionRequest::descriptor()->file(),
            grpc::reflection::v1alpha::ServerReflectionRequest::descriptor()->file()};
}

void list_services(ServerReflectionResponse& response) {
    auto& list = *response.mutable_list_services_response();
    for (const FileDescriptor* file : served_files()) {
        for (int i = 0; i < file->service_count(); ++i) {
            list.add_service()->set_name(file->service(i)->full_name());
        }
    }
}

void add_file(const FileDescriptor& file,
              std::set<const FileDescriptor*>& added,
              ServerReflectionResponse& response) {
    if (!added.insert(&file).second) return;
    google::protobuf::FileDescriptorProto proto;
    file.CopyTo(&proto);
    response.mutable_file_descriptor_response()->add_file_descriptor_proto(
        proto.SerializeAsString());
    for (int i = 0; i < file.dependency_count(); ++i)
        add_file(*file.dependency(i), added, response);
}

void not_found(std::string_view what, const std::string& name, ServerReflectionResponse& response) {
    auto& error = *response.mutable_error_response();
    error.set_error_code(traits_of(ErrorCode::kModelNotFound).grpc_status);
    error.set_error_message(concat({"there is no ", what, " ", in_quotes(name)}));
}

void add_file_or_error(const FileDescriptor* file,
                       std::string_view what,
                       const std::string& name,
                       ServerReflectionResponse& response) {
    if (file == nullptr) return not_found(what, name, response);
    std::set<const FileDescriptor*> added;
    add_file(*file, added, response);
}

void answer(const ServerReflectionRequest& request, ServerReflectionResponse& response) {
    const DescriptorPool& pool = *DescriptorPool::generated_pool();
    switch (request.message_request_case()) {
        case ServerReflectionRequest::kListServices:
            return list_services(response);
        case ServerReflectionRequest::kFileByFilename: {
            const std::string& name = request.file_by_filename();
            return add_file_or_error(pool.FindFileByName(name), "file", name, response);
        }
        case ServerReflectionRequest::kFileContainingSymbol: {
            const std::string& name = request.file_containing_symbol();
            return add_file_or_error(pool.FindFileContainingSymbol(name), "symbol", name, response);
        }
        case ServerReflectionRequest::kFileContainingExtension:
            return not_found(
                "extension of", request.file_containing_extension().containing_type(), response);
        case ServerReflectionRequest::kAllExtensionNumbersOfType: {
            const std::string& name = request.all_extension_numbers_of_type();
            if (pool.FindMessageTypeByName(name) == nullptr)
                return not_found("type", name, response);
            response.mutable_all_extension_numbers_response()->set_base_type_name(name);
            return;
        }
        case ServerReflectionRequest::MESSAGE_REQUEST_NOT_SET:
            break;
    }
    auto& error = *response.mutable_error_response();
    error.set_error_code(traits_of(ErrorCode::kUnsupported).grpc_status);
    error.set_error_message("the reflection request asks for nothing that this server knows");
}

}  // namespace

Result<> answer_reflection(const net::Message& message,
                           memory::BufferPool& pool,
                           net::Reply& reply) {
    ServerReflectionRequest request;
    LEPTON_RETURN_IF_ERROR(parse_grpc(message, request));
    ServerReflectionResponse response;
    response.set_valid_host(request.host());
    answer(request, response);
    response.mutable_original_request()->Swap(&request);
    write_grpc(response, pool, reply);
    return {};
}

}  // namespace lepton::protocol

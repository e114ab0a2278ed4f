#include "tls.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstring>

namespace lepton::client {
namespace {

std::string openssl_reason() {
    const unsigned long code = ERR_get_error();  // NOLINT(google-runtime-int): OpenSSL's type.
    ERR_clear_error();
    if (code == 0) return "connection closed";
    const char* const reason = ERR_reason_error_string(code);
    return reason == nullptr ? "unknown reason" : reason;
}

// OpenSSL's own BIO for sockets uses write(), which raises SIGPIPE in the user's process.
int bio_write(BIO* bio, const char* bytes, int count) {
    const int socket = static_cast<int>(reinterpret_cast<std::intptr_t>(BIO_get_data(bio)));
    BIO_clear_retry_flags(bio);
    const ssize_t sent =
        ::send(socket, bytes, static_cast<std::size_t>(count), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && (errno == EAGAIN || errno == EINTR)) BIO_set_retry_write(bio);
    return static_cast<int>(sent);
}

int bio_read(BIO* bio, char* space, int count) {
    const int socket = static_cast<int>(reinterpret_cast<std::intptr_t>(BIO_get_data(bio)));
    BIO_clear_retry_flags(bio);
    const ssize_t read = ::recv(socket, space, static_cast<std::size_t>(count), MSG_DONTWAIT);
    if (read < 0 && (errno == EAGAIN || errno == EINTR)) BIO_set_retry_read(bio);
    return static_cast<int>(read);
}

long bio_control(BIO*, int command, long, void*) {  // NOLINT(google-runtime-int): OpenSSL's type.
    return command == BIO_CTRL_FLUSH ? 1 : 0;
}

int bio_create(BIO* bio) {
    BIO_set_init(bio, 1);
    return 1;
}

const BIO_METHOD* socket_method() {
    static BIO_METHOD* const method = [] {
        BIO_METHOD* const made =
            BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "lepton socket");
        BIO_meth_set_write(made, bio_write);
        BIO_meth_set_read(made, bio_read);
        BIO_meth_set_ctrl(made, bio_control);
        BIO_meth_set_create(made, bio_create);
        return made;
    }();
    return method;
}

tl::unexpected<Error> bad_file(std::string_view what, const std::string& file) {
    std::string message = "cannot use the ";
    message.append(what).append(" \"").append(file).append("\": ").append(openssl_reason());
    return fail(ErrorCode::kInvalidArgument, std::move(message));
}

bool is_address(const std::string& host) {
    ASN1_OCTET_STRING* const address = a2i_IPADDRESS(host.c_str());
    ASN1_OCTET_STRING_free(address);
    return address != nullptr;
}

}  // namespace

void TlsContext::Free::operator()(ssl_ctx_st* context) const noexcept { SSL_CTX_free(context); }
void TlsSession::Free::operator()(ssl_st* session) const noexcept { SSL_free(session); }

Result<TlsContext> TlsContext::open(const TlsOptions& options) {
    TlsContext made;
    made.context_.reset(SSL_CTX_new(TLS_client_method()));
    SSL_CTX* const context = made.context_.get();
    if (context == nullptr) return fail(ErrorCode::kInternal, "OpenSSL does not start");
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_mode(context,
                     SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                         SSL_MODE_RELEASE_BUFFERS);
    // A server that ends without close_notify is not an error: the framing of HTTP tells whether
    // all came.
    SSL_CTX_set_options(context, SSL_OP_IGNORE_UNEXPECTED_EOF);
    made.verify_ = options.verify;
    made.server_name_ = options.server_name;
    SSL_CTX_set_verify(context, options.verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);
    if (options.ca_file.empty()) {
        SSL_CTX_set_default_verify_paths(context);
    } else if (SSL_CTX_load_verify_locations(context, options.ca_file.c_str(), nullptr) != 1) {
        return bad_file("certificates of authorities", options.ca_file);
    }
    if (!options.certificate_file.empty()) {
        if (SSL_CTX_use_certificate_chain_file(context, options.certificate_file.c_str()) != 1) {
            return bad_file("certificate", options.certificate_file);
        }
        if (SSL_CTX_use_PrivateKey_file(context, options.key_file.c_str(), SSL_FILETYPE_PEM) != 1 ||
            SSL_CTX_check_private_key(context) != 1) {
            return bad_file("key", options.key_file);
        }
    }
    return made;
}

Result<TlsSession> TlsContext::session(int socket, const std::string& host, bool http2) const {
    TlsSession made;
    made.session_.reset(SSL_new(context_.get()));
    SSL* const session = made.session_.get();
    BIO* const bio = BIO_new(socket_method());
    if (session == nullptr || bio == nullptr) {
        BIO_free(bio);
        return fail(ErrorCode::kInternal, "OpenSSL has no memory for a session");
    }
    // NOLINTNEXTLINE(performance-no-int-to-ptr): OpenSSL keeps a pointer for us; it is a number.
    BIO_set_data(bio, reinterpret_cast<void*>(static_cast<std::intptr_t>(socket)));
    SSL_set_bio(session, bio, bio);
    SSL_set_connect_state(session);

    const std::string& name = server_name_.empty() ? host : server_name_;
    X509_VERIFY_PARAM* const parameters = SSL_get0_param(session);
    if (is_address(name)) {
        X509_VERIFY_PARAM_set1_ip_asc(parameters, name.c_str());
    } else {
        SSL_set_tlsext_host_name(session, name.c_str());
        X509_VERIFY_PARAM_set1_host(parameters, name.data(), name.size());
    }
    static constexpr std::array<unsigned char, 3> kHttp2 = {2, 'h', '2'};
    static constexpr std::array<unsigned char, 9> kHttp1 = {
        8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
    if (http2) {
        SSL_set_alpn_protos(session, kHttp2.data(), kHttp2.size());
    } else {
        SSL_set_alpn_protos(session, kHttp1.data(), kHttp1.size());
    }
    made.http2_ = http2;
    return made;
}

IoStep TlsSession::step(int result) {
    if (result > 0) return {IoStep::State::kProgress, static_cast<std::size_t>(result)};
    switch (SSL_get_error(session_.get(), result)) {
        case SSL_ERROR_WANT_READ:
            return {IoStep::State::kWantRead, 0};
        case SSL_ERROR_WANT_WRITE:
            return {IoStep::State::kWantWrite, 0};
        case SSL_ERROR_ZERO_RETURN:
            return {IoStep::State::kEnd, 0};
        default:
            break;
    }
    const long verified = SSL_get_verify_result(session_.get());  // NOLINT(google-runtime-int)
    if (verified != X509_V_OK && SSL_get_verify_mode(session_.get()) != SSL_VERIFY_NONE) {
        error_ =
            std::string("its certificate is refused: ") + X509_verify_cert_error_string(verified);
        ERR_clear_error();
    } else {
        error_ = openssl_reason();
    }
    return {IoStep::State::kError, 0};
}

IoStep TlsSession::handshake() {
    ERR_clear_error();
    const IoStep done = step(SSL_do_handshake(session_.get()));
    if (done.state != IoStep::State::kProgress || !http2_) return done;
    const unsigned char* chosen = nullptr;
    unsigned int size = 0;
    SSL_get0_alpn_selected(session_.get(), &chosen, &size);
    if (size == 2 && std::memcmp(chosen, "h2", 2) == 0) return done;
    error_ = "it does not offer HTTP/2 (ALPN h2), which gRPC needs";
    return {IoStep::State::kError, 0};
}

IoStep TlsSession::send(std::span<const std::byte> bytes) {
    ERR_clear_error();
    const auto count = static_cast<int>(std::min<std::size_t>(bytes.size(), INT_MAX));
    return step(SSL_write(session_.get(), bytes.data(), count));
}

IoStep TlsSession::receive(std::span<std::byte> space) {
    ERR_clear_error();
    const auto count = static_cast<int>(std::min<std::size_t>(space.size(), INT_MAX));
    return step(SSL_read(session_.get(), space.data(), count));
}

bool TlsSession::has_pending() const { return SSL_pending(session_.get()) > 0; }

}  // namespace lepton::client

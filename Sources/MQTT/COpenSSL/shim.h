#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

// These are macros with casts, which Swift does not see.

static inline int COpenSSL_set_tls_1_2_or_later(SSL_CTX *context) {
  return SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
}

static inline int COpenSSL_add_to_chain(SSL_CTX *context, X509 *certificate) {
  return (int)SSL_CTX_add1_chain_cert(context, certificate);
}

// Without it each idle connection keeps 34 KiB of buffers.
static inline void COpenSSL_release_idle_buffers(SSL_CTX *context) {
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
}

// OpenSSL hands callbacks a pointer to const; a callback may change its own connection.
static inline void COpenSSL_remove_server_name(const SSL *connection) {
  SSL_set_tlsext_host_name((SSL *)connection, NULL);
}

static inline int COpenSSL_wants_write(const SSL *connection) {
  return SSL_want_write(connection);
}

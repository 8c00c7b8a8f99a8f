internal import COpenSSL

/// What OpenSSL needs for one secure connection, and what it tells of it. libmosquitto would set it
/// up by itself, but then nobody learns why a handshake failed: docs/decisions/0005.
///
/// Belongs to the connection's thread and must live longer than libmosquitto's handle.
final class TLSSession {
  /// An `SSL_CTX`. Taken in `init`, released in `deinit`; libmosquitto has a reference of its own.
  let context: OpaquePointer
  private(set) var observation: TLSObservation

  /// Reads the files; fails if one of them can't be used.
  init(_ settings: TLSSettings, host: String) throws(TLSFailure) {
    guard let context = SSL_CTX_new(TLS_client_method()) else {
      throw .handshake(OpenSSLErrors.newest())
    }
    self.context = context
    observation = TLSObservation(host: host, hasIdentity: settings.identity != nil)
    // OpenSSL would hold an error that is left over for one of the connection.
    defer { ERR_clear_error() }
    guard COpenSSL_set_tls_1_2_or_later(context) == 1 else {
      throw .handshake(OpenSSLErrors.newest())
    }
    COpenSSL_release_idle_buffers(context)
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nil)
    try trust(settings.caFile)
    try expect(host)
    if let identity = settings.identity { try use(identity) }
    observe()
  }

  deinit { SSL_CTX_free(context) }

  /// Whether the handshake is done.
  var isEstablished: Bool { observation.isEstablished }

  /// Whether the handshake waits for the socket to take more.
  var wantsWrite: Bool { observation.wantsWrite }

  /// What broke a connection that ended before the broker took it; `nil` if it was not TLS.
  var failure: TLSFailure? { observation.failure }
}

// MARK: What happens

extension TLSSession {
  /// Has OpenSSL call back at every step of the handshake, at its end, and for alerts.
  private func observe() {
    // Index 0 is the application's.
    SSL_CTX_set_ex_data(context, 0, Unmanaged.passUnretained(self).toOpaque())
    SSL_CTX_set_info_callback(context) { connection, event, value in
      guard let connection, let context = SSL_get_SSL_CTX(connection),
        let session = SSL_CTX_get_ex_data(context, 0)
      else { return }
      Unmanaged<TLSSession>.fromOpaque(session).takeUnretainedValue()
        .happened(event, value, on: connection)
    }
  }

  private func happened(_ event: Int32, _ value: Int32, on connection: OpaquePointer) {
    switch event {
    case SSL_CB_HANDSHAKE_START:
      // libmosquitto names the host also where it is an address; RFC 6066, section 3, forbids that.
      if isAddress { COpenSSL_remove_server_name(connection) }
    case SSL_CB_HANDSHAKE_DONE: observation.isEstablished = true
    case SSL_CB_READ_ALERT: observation.alert = UInt8(truncatingIfNeeded: value)
    case SSL_CB_CONNECT_LOOP:
      if SSL_get_state(connection) == TLS_ST_CR_CERT_REQ { observation.isIdentityAskedFor = true }
    case SSL_CB_CONNECT_EXIT where value <= 0:
      observation.wantsWrite = COpenSSL_wants_write(connection) != 0
      observation.hasAnswer = SSL_get_state(connection) != TLS_ST_CW_CLNT_HELLO
      observation.verification = Int32(truncatingIfNeeded: SSL_get_verify_result(connection))
      observation.error = ERR_peek_error()
    default: break
    }
  }

  private var isAddress: Bool {
    X509_VERIFY_PARAM_get0_host(SSL_CTX_get0_param(context), 0) == nil
  }
}

// MARK: What is configured

extension TLSSession {
  private func trust(_ caFile: String?) throws(TLSFailure) {
    guard let caFile else {
      // Where the system has none, nobody is trusted.
      SSL_CTX_set_default_verify_paths(context)
      return
    }
    let store = SSL_CTX_get_cert_store(context)
    for authority in try PEM.certificates(.ca, caFile) {
      X509_STORE_add_cert(store, authority.pointer)
    }
    // What stands in the file is trusted, also if it is no root.
    X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(context), UInt(X509_V_FLAG_PARTIAL_CHAIN))
  }

  /// The name or address that the broker's certificate must bear.
  private func expect(_ host: String) throws(TLSFailure) {
    let rules = SSL_CTX_get0_param(context)
    if X509_VERIFY_PARAM_set1_ip_asc(rules, host) == 1 { return }
    X509_VERIFY_PARAM_set_hostflags(rules, UInt32(X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS))
    guard X509_VERIFY_PARAM_set1_host(rules, host, 0) == 1 else { throw .wrongName(host: host) }
  }

  private func use(_ identity: TLSSettings.Identity) throws(TLSFailure) {
    let path = identity.certificateFile
    let chain = try PEM.certificates(.certificate, path)
    for (index, certificate) in chain.enumerated() {
      let isTaken =
        index == 0
        ? SSL_CTX_use_certificate(context, certificate.pointer)
        : COpenSSL_add_to_chain(context, certificate.pointer)
      guard isTaken == 1 else {
        throw .file(.certificate, .invalid(path: path, what: OpenSSLErrors.newest()))
      }
    }
    let key = try PEM.privateKey(identity.keyFile)
    guard SSL_CTX_use_PrivateKey(context, key.pointer) == 1,
      SSL_CTX_check_private_key(context) == 1
    else { throw .keyMismatch }
  }
}

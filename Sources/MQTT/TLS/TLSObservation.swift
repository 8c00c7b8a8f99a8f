internal import COpenSSL

/// What was seen of a secure connection, and what it means.
struct TLSObservation {
  /// The name or address that the broker's certificate must bear.
  let host: String
  /// Whether we have a certificate to show.
  let hasIdentity: Bool
  /// The handshake is done, as far as the client can tell: in TLS 1.3 the broker may still refuse.
  var isEstablished = false
  /// The handshake waits for the socket to take more.
  var wantsWrite = false
  /// The broker answered in TLS.
  var hasAnswer = false
  /// The broker asked for a certificate.
  var isIdentityAskedFor = false
  /// The alert that the broker sent (RFC 8446, section 6).
  var alert: UInt8?
  /// What OpenSSL found of the broker's certificate: a code of X509_verify_cert.
  var verification: Int32 = X509_V_OK
  /// OpenSSL's error; 0 for none.
  var error: UInt = 0

  init(host: String, hasIdentity: Bool) {
    self.host = host
    self.hasIdentity = hasIdentity
  }

  /// What broke a connection that ended before the broker took it; `nil` if it was not TLS.
  var failure: TLSFailure? {
    if let alert { return refusal(alert) }
    if isEstablished { return nil }
    if verification != X509_V_OK { return distrust }
    if !hasAnswer { return .notSpoken }
    return error == 0 || ERR_GET_REASON(error) == SSL_R_UNEXPECTED_EOF_WHILE_READING
      ? nil : .handshake(OpenSSLErrors.text(error))
  }

  /// What is wrong with the broker's certificate.
  private var distrust: TLSFailure {
    switch verification {
    case X509_V_ERR_CERT_HAS_EXPIRED: return .expired
    case X509_V_ERR_CERT_NOT_YET_VALID: return .notYetValid
    case X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH:
      return .wrongName(host: host)
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
      X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN,
      X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, X509_V_ERR_CERT_SIGNATURE_FAILURE,
      X509_V_ERR_CERT_UNTRUSTED, X509_V_ERR_INVALID_CA:
      return .unknownAuthority(verificationText)
    default: return .invalidCertificate(verificationText)
    }
  }

  private var verificationText: String {
    X509_verify_cert_error_string(Int(verification)).map { String(cString: $0) }
      ?? "code \(verification)"
  }

  /// What the broker's alert means.
  private func refusal(_ alert: UInt8) -> TLSFailure {
    let text = String(cString: SSL_alert_desc_string_long(Int32(alert)))
    // Before TLS 1.3 there was no alert for a certificate that is missing; these stand for it.
    let standIns = [SSL_AD_HANDSHAKE_FAILURE, SSL_AD_BAD_CERTIFICATE, SSL_AD_NO_CERTIFICATE]
    switch Int32(alert) {
    case SSL_AD_CERTIFICATE_REQUIRED: return .clientCertificateRequired
    case let code where isIdentityAskedFor && !hasIdentity && standIns.contains(code):
      return .clientCertificateRequired
    case SSL_AD_CERTIFICATE_EXPIRED where hasIdentity: return .clientCertificateExpired
    case SSL_AD_BAD_CERTIFICATE, SSL_AD_UNSUPPORTED_CERTIFICATE, SSL_AD_CERTIFICATE_REVOKED,
      SSL_AD_CERTIFICATE_UNKNOWN, SSL_AD_UNKNOWN_CA, SSL_AD_ACCESS_DENIED, SSL_AD_DECRYPT_ERROR:
      return hasIdentity ? .clientCertificateRefused(text) : .handshake("alert: \(text)")
    default: return .handshake("alert: \(text)")
    }
  }
}

public import LinuxSystem

/// Why a connection could not be made secure.
public enum TLSFailure: Error, Sendable, Hashable {
  /// Which of the configured files it is about.
  public enum File: String, Sendable, Hashable, CaseIterable {
    case ca = "ca-file"
    case certificate = "certificate-file"
    case key = "key-file"
  }

  /// What is wrong with a file.
  public enum FileFault: Sendable, Hashable {
    /// There is none at this path.
    case missing(path: String)
    /// The system does not let us read it, or it is no file.
    case unreadable(SystemError)
    /// It does not hold what it should.
    case invalid(path: String, what: String)
    /// Others than its owner and group may read or write it.
    case exposed(path: String, mode: UInt32)
  }

  /// A configured file can't be used; nothing was sent.
  case file(File, FileFault)
  /// Certificate and key do not belong together.
  case keyMismatch
  /// No trusted authority vouches for the broker's certificate.
  case unknownAuthority(String)
  /// The broker's certificate, or one that vouches for it, has run out by our clock.
  case expired
  /// The broker's certificate, or one that vouches for it, is not valid yet by our clock.
  case notYetValid
  /// The broker's certificate is for another name or address.
  case wrongName(host: String)
  /// The broker's certificate is unfit for another reason.
  case invalidCertificate(String)
  /// The broker asks for a certificate and none is configured.
  case clientCertificateRequired
  /// The broker says that our certificate has run out.
  case clientCertificateExpired
  /// The broker does not take our certificate.
  case clientCertificateRefused(String)
  /// What answers does not speak TLS, or closes when it is spoken to in TLS.
  case notSpoken
  /// Anything else, in OpenSSL's words.
  case handshake(String)
}

extension TLSFailure: CustomStringConvertible {
  /// What is wrong, in one line.
  public var description: String {
    switch self {
    case .file(let file, .missing(let path)): "\(file.rawValue) \(path): there is no such file"
    case .file(let file, .unreadable(let error)): "\(file.rawValue): \(error)"
    case .file(let file, .invalid(let path, let what)): "\(file.rawValue) \(path): \(what)"
    case .file(let file, .exposed(let path, let mode)):
      "\(file.rawValue) \(path): mode \(String(mode, radix: 8)) is open to everybody; 0640 or "
        + "stricter is expected"
    case .keyMismatch: "certificate-file and key-file do not belong together"
    case .unknownAuthority(let text): "the broker's certificate is not trusted: \(text)"
    case .expired: "the broker's certificate has expired"
    case .notYetValid: "the broker's certificate is not valid yet"
    case .wrongName(let host): "the broker's certificate is not for \(host)"
    case .invalidCertificate(let text): "the broker's certificate is unfit: \(text)"
    case .clientCertificateRequired: "the broker demands a client certificate"
    case .clientCertificateExpired: "the broker says that our certificate has expired"
    case .clientCertificateRefused(let text): "the broker refuses our certificate: \(text)"
    case .notSpoken: "the broker does not answer in TLS"
    case .handshake(let text): "TLS: \(text)"
    }
  }
}

internal import Glibc
internal import LinuxSystem
internal import MQTT

/// What keeps a destination from getting its batches; the words are those of `health`, of
/// `destination` events and of docs/payloads.md.
public enum UplinkFault: String, Sendable, Hashable, CaseIterable {
  /// Not connected yet since the start. Observers are not told: every start begins so.
  case connecting
  /// The host refuses the connection, or the broker refuses a batch for good.
  case refused
  /// No way to the host: link down, no route.
  case noRoute = "no-route"
  /// No answer in time: connecting, keep-alive or an acknowledgement.
  case timeout
  /// The host name has no address.
  case nameUnknown = "name-unknown"
  /// User name, password or access rules.
  case notAuthorised = "not-authorised"
  /// The broker does not take the client id.
  case clientIDRefused = "client-id-refused"
  /// The broker does not speak the configured protocol version.
  case versionRefused = "version-refused"
  /// The broker says that it can't serve now.
  case unavailable
  /// A quota of the broker is used up.
  case quotaExceeded = "quota-exceeded"
  /// Another client connected with the same client id.
  case takenOver = "taken-over"
  /// The connection was lost.
  case disconnected
  /// A batch is larger than the broker takes.
  case tooLarge = "too-large"
  /// The password file can't be read.
  case passwordFile = "password-file"
  /// There is no file `ca-file`.
  case caFileMissing = "ca-file-missing"
  /// It can't be read.
  case caFileUnreadable = "ca-file-unreadable"
  /// It holds no certificates.
  case caFileInvalid = "ca-file-invalid"
  /// There is no file `certificate-file`.
  case certificateFileMissing = "certificate-file-missing"
  /// It can't be read.
  case certificateFileUnreadable = "certificate-file-unreadable"
  /// It holds no certificate, or one that is too weak.
  case certificateFileInvalid = "certificate-file-invalid"
  /// There is no file `key-file`.
  case keyFileMissing = "key-file-missing"
  /// It can't be read.
  case keyFileUnreadable = "key-file-unreadable"
  /// It holds no private key, or one with a password.
  case keyFileInvalid = "key-file-invalid"
  /// Everybody may read or write it.
  case keyFileExposed = "key-file-exposed"
  /// It is not the key of the certificate.
  case keyFileMismatch = "key-file-mismatch"
  /// No authority that we trust vouches for the broker.
  case brokerCertificateUnknownCA = "broker-certificate-unknown-ca"
  /// The broker's certificate has run out.
  case brokerCertificateExpired = "broker-certificate-expired"
  /// It has run out by our clock, which may be wrong.
  case brokerCertificateExpiredOrClock = "broker-certificate-expired-or-clock"
  /// The broker's certificate is not valid yet.
  case brokerCertificateNotYetValid = "broker-certificate-not-yet-valid"
  /// It is not valid yet by our clock, which may be wrong.
  case brokerCertificateNotYetValidOrClock = "broker-certificate-not-yet-valid-or-clock"
  /// The broker's certificate is for another host.
  case brokerCertificateName = "broker-certificate-name"
  /// The broker's certificate is unfit for another reason.
  case brokerCertificateInvalid = "broker-certificate-invalid"
  /// The broker asks for a certificate and none is configured.
  case clientCertificateRequired = "client-certificate-required"
  /// The broker says that ours has run out.
  case clientCertificateExpired = "client-certificate-expired"
  /// The broker does not take ours.
  case clientCertificateRefused = "client-certificate-refused"
  /// What answers does not speak TLS.
  case noTLS = "no-tls"
  /// No agreement on how to speak TLS.
  case tlsFailed = "tls-failed"
  /// The settings, or this system, do not allow a connection at all.
  case unusable
}

/// How a connection, or the attempt to make one, ended.
struct ConnectionLoss: Equatable, Sendable {
  var fault: UplinkFault
  /// What it cost the broker; decides how soon the next attempt may be made.
  var cost: ReconnectBackoff.Cost
  /// The broker ended it: only then can something that was sent be to blame.
  var isByBroker = false

  static let timeout = ConnectionLoss(fault: .timeout, cost: .brokers)
  static let passwordFile = ConnectionLoss(fault: .passwordFile, cost: .brokers)

  init(fault: UplinkFault, cost: ReconnectBackoff.Cost, isByBroker: Bool = false) {
    self.fault = fault
    self.cost = cost
    self.isByBroker = isByBroker
  }

  /// The broker's answer to CONNECT, or its DISCONNECT.
  init(_ reason: MQTTReason) {
    let fault: UplinkFault =
      switch reason {
      case .badUserNameOrPassword, .notAuthorised, .banned: .notAuthorised
      case .clientIDNotValid: .clientIDRefused
      case .unsupportedVersion: .versionRefused
      case .serverUnavailable, .serverBusy: .unavailable
      case .quotaExceeded, .messageRateTooHigh: .quotaExceeded
      case .sessionTakenOver: .takenOver
      default: .disconnected
      }
    self.init(fault: fault, cost: .brokers, isByBroker: true)
  }

  init(_ error: MQTTError) {
    switch error {
    case .socket(let error): self.init(errorNumber: error.code)
    case .tls(let failure): self.init(failure)
    case .nameUnknown: self.init(fault: .nameUnknown, cost: .nobodys)
    case .silent: self = .timeout
    case .closed(let reason?): self.init(reason)
    case .closed(nil): self.init(fault: .disconnected, cost: .brokers, isByBroker: true)
    // A broker that breaks the protocol; the library closes then.
    case .library: self.init(fault: .disconnected, cost: .brokers, isByBroker: true)
    case .notConnected, .orderly: self.init(fault: .disconnected, cost: .brokers)
    case .unusable, .tooLarge: self.init(fault: .unusable, cost: .brokers)
    }
  }

  private init(errorNumber: Int32) {
    switch errorNumber {
    case ECONNREFUSED: self.init(fault: .refused, cost: .nobodys)
    case ENETUNREACH, EHOSTUNREACH, ENETDOWN, EHOSTDOWN, EADDRNOTAVAIL:
      self.init(fault: .noRoute, cost: .nobodys)
    case ETIMEDOUT: self = .timeout
    // A reset while connecting comes from a host that is up.
    case ECONNRESET: self.init(fault: .disconnected, cost: .brokers, isByBroker: true)
    case EMFILE, ENFILE, ENOBUFS, ENOMEM: self.init(fault: .unusable, cost: .nobodys)
    default: self.init(fault: .disconnected, cost: .brokers)
    }
  }
}

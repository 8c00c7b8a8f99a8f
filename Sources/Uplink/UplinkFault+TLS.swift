internal import MQTT
internal import Telemetry

extension UplinkFault {
  /// The start of the year in which this version was made (2026-01-01, Unix milliseconds): a clock
  /// that shows an earlier time is wrong.
  static let earliestPossibleTime: Int64 = 1_767_225_600_000

  init(_ failure: TLSFailure) {
    switch failure {
    case .file(let file, let fault): self.init(file, fault)
    case .keyMismatch: self = .keyFileMismatch
    case .unknownAuthority: self = .brokerCertificateUnknownCA
    case .expired: self = .brokerCertificateExpired
    case .notYetValid: self = .brokerCertificateNotYetValid
    case .wrongName: self = .brokerCertificateName
    case .invalidCertificate: self = .brokerCertificateInvalid
    case .clientCertificateRequired: self = .clientCertificateRequired
    case .clientCertificateExpired: self = .clientCertificateExpired
    case .clientCertificateRefused: self = .clientCertificateRefused
    case .notSpoken: self = .noTLS
    case .handshake: self = .tlsFailed
    }
  }

  private init(_ file: TLSFailure.File, _ fault: TLSFailure.FileFault) {
    switch (file, fault) {
    case (_, .exposed): self = .keyFileExposed
    case (.ca, .missing): self = .caFileMissing
    case (.ca, .unreadable): self = .caFileUnreadable
    case (.ca, .invalid): self = .caFileInvalid
    case (.certificate, .missing): self = .certificateFileMissing
    case (.certificate, .unreadable): self = .certificateFileUnreadable
    case (.certificate, .invalid): self = .certificateFileInvalid
    case (.key, .missing): self = .keyFileMissing
    case (.key, .unreadable): self = .keyFileUnreadable
    case (.key, .invalid): self = .keyFileInvalid
    }
  }

  /// What is wrong, by somebody whose clock shows `time`: a board without a battery-backed clock
  /// begins in 1970 and holds every certificate for one of the future.
  func seen(at time: Timestamp) -> UplinkFault {
    guard time.clock == .unsynced || time.wall < Self.earliestPossibleTime else { return self }
    return switch self {
    case .brokerCertificateExpired: .brokerCertificateExpiredOrClock
    case .brokerCertificateNotYetValid: .brokerCertificateNotYetValidOrClock
    default: self
    }
  }
}

extension ConnectionLoss {
  /// What can't be read costs nobody anything; a handshake costs a broker more than a connection.
  init(_ failure: TLSFailure) {
    let cost: ReconnectBackoff.Cost =
      switch failure {
      case .file, .keyMismatch: .nobodys
      default: .brokers
      }
    self.init(fault: UplinkFault(failure), cost: cost)
  }
}

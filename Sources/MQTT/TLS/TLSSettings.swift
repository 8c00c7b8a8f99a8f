/// What makes a connection secure. The files are read when the connection is made, so that renewed
/// ones need no restart. All are PEM.
public struct TLSSettings: Sendable, Hashable {
  /// How the client shows the broker who it is.
  public struct Identity: Sendable, Hashable {
    /// The client's certificate, then those of the authorities between it and the root, if any.
    public var certificateFile: String
    /// Its private key, not encrypted; refused if everybody may read or write it.
    public var keyFile: String

    /// Makes an identity.
    public init(certificateFile: String, keyFile: String) {
      self.certificateFile = certificateFile
      self.keyFile = keyFile
    }
  }

  /// The certificates that are trusted to vouch for the broker's; `nil` for the system's.
  public var caFile: String?
  /// `nil` if the broker is not to ask.
  public var identity: Identity?

  /// Makes settings.
  public init(caFile: String? = nil, identity: Identity? = nil) {
    self.caFile = caFile
    self.identity = identity
  }
}

/// What a point's number counts. A closed list on purpose: methane in %CH4, %LEL and ppm differ by
/// factors of 20 to 10,000, and a mistyped unit would be a safety fault. Nothing converts silently.
public enum MeasurementUnit: String, Sendable, Hashable, CaseIterable {
  // Gases
  case percentMethane = "%CH4"
  case percentLowerExplosiveLimit = "%LEL"
  case partsPerMillion = "ppm"
  case percentVolume = "%vol"
  case milligramPerCubicMetre = "mg/m3"
  // Air
  case metrePerSecond = "m/s"
  case degreeCelsius = "°C"
  case percentRelativeHumidity = "%RH"
  case pascal = "Pa"
  case kilopascal = "kPa"
  case megapascal = "MPa"
  // Water
  case metre = "m"
  case millimetre = "mm"
  case cubicMetre = "m3"
  case cubicMetrePerMinute = "m3/min"
  case cubicMetrePerHour = "m3/h"
  // Electricity
  case volt = "V"
  case ampere = "A"
  case milliampere = "mA"
  case watt = "W"
  case kilowatt = "kW"
  case kilovar = "kvar"
  case kilowattHour = "kWh"
  case hertz = "Hz"
  // Machines, weights, times
  case revolutionPerMinute = "rpm"
  case millimetrePerSecond = "mm/s"
  case tonne = "t"
  case second = "s"
  case hour = "h"
  // Counts and shares
  case persons
  case count
  case percent = "%"
  /// A plain number, such as a status word. Said on purpose: a number has to name its unit.
  case dimensionless = "none"
}

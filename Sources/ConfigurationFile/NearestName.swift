/// Longer names are not compared: no real key is that long, and the comparison takes
/// length × length steps.
private let comparedLength = 64
/// One or two letters begin too many words.
private let shortestBeginning = 3

/// The candidate that `name` was most likely meant to be, `nil` if none is close. `password` is
/// close to `password-file`: half of a name is what people remember.
public func nearest(to name: String, among candidates: some Sequence<String>) -> String? {
  let target = Array(name.unicodeScalars.prefix(comparedLength + 1))
  guard target.count <= comparedLength, !target.isEmpty else { return nil }
  var best: (name: String, distance: Int)?
  var beginning: String?
  for candidate in candidates where candidate.utf8.count <= comparedLength {
    let letters = Array(candidate.unicodeScalars)
    if target.count >= shortestBeginning, letters.starts(with: target) { beginning = candidate }
    let distance = editDistance(target, letters)
    // A third of the letters wrong is still a slip; more is another word.
    guard distance <= max(1, max(target.count, letters.count) / 3) else { continue }
    if distance < best?.distance ?? .max { best = (candidate, distance) }
  }
  return best?.name ?? beginning
}

/// Insertions, deletions, replacements and swaps of neighbours that turn one into the other
/// (optimal string alignment distance).
func editDistance(_ left: [Unicode.Scalar], _ right: [Unicode.Scalar]) -> Int {
  var beforeLast: [Int] = []
  var last = Array(0...right.count)
  for row in left.indices {
    var current = [row + 1]
    for column in right.indices {
      let isSame = left[row] == right[column]
      var distance = min(
        last[column] + (isSame ? 0 : 1), last[column + 1] + 1, current[column] + 1)
      if row > 0, column > 0, left[row] == right[column - 1], left[row - 1] == right[column] {
        distance = min(distance, beforeLast[column - 1] + 1)
      }
      current.append(distance)
    }
    (beforeLast, last) = (last, current)
  }
  return last[right.count]
}

internal import ArgumentParser

@main
struct EdgeReceiveCommand: ParsableCommand {}

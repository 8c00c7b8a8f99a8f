internal import ArgumentParser

@main
struct MineSimulatorCommand: ParsableCommand {}

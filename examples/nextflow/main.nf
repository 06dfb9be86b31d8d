// One process of Nextflow for `aimwell run`. Not run by the tests of aimwell: Nextflow is not among
// what they install. The Snakemake example beside it does the same and is run.
process AIMWELL_RUN {
    tag "${name}"
    cpus 2

    input:
    tuple val(name), path(run_file), path(data)

    output:
    tuple val(name), path("run"), emit: folder
    tuple val(name), path("run.json"), emit: answer

    script:
    """
    aimwell run ${run_file} --data ${data} --output run --jobs ${task.cpus} --json --quiet > run.json
    """
}

workflow {
    rows = Channel.fromPath(params.runs)
        .splitCsv(sep: '\t', header: true)
        .map { row -> tuple(row.name, file(row.run_file), file(params.data)) }
    AIMWELL_RUN(rows)
}

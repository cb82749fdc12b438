/**
 * The rules of `corndog demo`: small, and one of each kind that people use first.
 *
 * @module
 */

/** A rule file, as a person would write it. */
export const demoRules = `# The rules of corndog demo. Change them while it runs: PUT /admin/rules.
rules:
  - name: json-chooses-its-topic
    jmespath: meta.topic
    actions:
      - type: merge
        json: { meta: { corndog: { version: "{{version}}", timestamp: "{{iso8601}}" } } }
      - type: forward
        topic: "{{value}}"

  - name: web-access
    field: appname
    equals: nginx
    actions:
      - type: forward
        topic: logs-web
        value: raw

  - name: logins
    field: msg
    regex: '(Accepted|Failed) (?P<method>\\w+) for (invalid user )?(?P<user>\\S+)'
    actions:
      - type: replace
        template: "{{hostname}} {{user}} {{method}}: {{msg}}"
      - type: forward
        topic: logs-auth

tests:
  - name: a JSON line goes to its topic
    input: '<13>1 2026-01-02T03:04:05Z web orders - - - {"meta":{"topic":"logs-orders"}}'
    expect: [{ topic: logs-orders, json: { meta: { topic: logs-orders } } }]
`;

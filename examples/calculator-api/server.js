/** The HTTP edge: reads a request, asks `route`, writes the answer. Everything else is a plain function. */
import { createServer } from 'node:http'
import { route } from './src/route.js'

const MAX_BODY_BYTES = 10_000
const port = Number(process.env.PORT ?? 8080)

const server = createServer(async (request, response) => {
  let body = ''
  for await (const chunk of request.setEncoding('utf8')) {
    body += chunk
    if (body.length > MAX_BODY_BYTES) return response.writeHead(413).end()
  }
  const answer = route(request.method, request.url, body)
  response.writeHead(answer.status, { 'content-type': 'application/json' })
  response.end(JSON.stringify(answer.body))
})

server.listen(port, '127.0.0.1', () => console.log(`calculator-api on http://127.0.0.1:${port}`))
